/* base64.h - bytes as text (RFC 4648, section 4: with padding, without line breaks). */
#ifndef KK_BASE_BASE64_H
#define KK_BASE_BASE64_H

#include "base/str.h"

/* Append; memory out shows in dst->failed. */
void kk_base64_append(kk_buf *dst, const void *data, size_t len);

#endif
