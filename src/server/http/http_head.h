/*
 * http_head.h - was a request's head written as RFC 9112 has it?
 *
 * libmicrohttpd 0.9.75 takes a bare LF for the end of a line, and joins a folded line to the *name*
 * before it, so that another program in front of this server may see other headers in the same
 * bytes, and a request hidden in them; and a path with a zero in it for the path before that. It
 * tells nobody; but it reads the head in place and puts zeros over ':', the first line's spaces and
 * the ends of lines, so the places of its strings show what stood between them:
 *
 *     P O S T 0 / 0 H T T P / 1 . 1 0 0 H o s t 0 _ x . y 0 0 ... 0 0 0 0
 *
 * Later versions refuse all that themselves, and may read otherwise: this is for 0.9.75 alone.
 */
#ifndef KK_SERVER_HTTP_HEAD_H
#define KK_SERVER_HTTP_HEAD_H

#include "base/str.h"

typedef struct kk_head {
    const char *end; /* of the last string */
    bool is_good;
} kk_head;

/* The first line, then each header in its order, then the whole. The target is as it came in:
 * reading it shortens it. */
void kk_head_begin(kk_head *head, const char *method, kk_slice target, const char *version);
void kk_head_add(kk_head *head, const char *name, const char *value);
bool kk_head_is_good(const kk_head *head, const char *method, size_t head_len);

#endif
