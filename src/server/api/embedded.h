/* embedded.h - files of this folder that lie in the program, each ended by NUL (embed.cmake). */
#ifndef KK_SERVER_EMBEDDED_H
#define KK_SERVER_EMBEDDED_H

#include <stddef.h>

extern const char kk_openapi_json[]; /* openapi.json */
extern const size_t kk_openapi_json_len;
extern const char kk_docs_html[]; /* docs.html */
extern const size_t kk_docs_html_len;

#endif
