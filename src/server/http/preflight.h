/*
 * preflight.h - what a browser asks before a page of another origin may send what a plain link
 * could not: which of its headers the server takes.
 */
#ifndef KK_SERVER_HTTP_PREFLIGHT_H
#define KK_SERVER_HTTP_PREFLIGHT_H

#include "server/http/http.h"

/*
 * To the answer for a listed origin: the headers that clients of this API send, and of those in the
 * request's Access-Control-Request-Headers all that can be names of headers, up to some 1 KB. The
 * origin is trusted by name, and no header gives it more than it has. Official clients send a dozen
 * of their own (X-Stainless-...), and others come with new versions.
 */
void kk_preflight_allow_headers(const kk_http_request *request, kk_http_response *response);

#endif
