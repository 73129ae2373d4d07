/* json.h - what the endpoints need besides jansson itself. */
#ifndef KK_SERVER_JSON_H
#define KK_SERVER_JSON_H

#include "base/str.h"

#include <jansson.h>

#define KK_JSON_TYPE "application/json"

enum {
    KK_JSON_MAX_DEPTH = 32,
    /* How a request's JSON is read: whole numbers of any size, as a random seed of 64 bits in a
     * field that nobody here knows. */
    KK_JSON_REQUEST = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL
};

/* Make jansson allocate by base/alloc.h. Once, before any other use of it in the program. */
void kk_json_use_kk_alloc(void);
/* Whether an allocation of jansson failed on this thread since the last call: its parser calls that
 * bad syntax. */
bool kk_json_take_no_memory(void);

/* Append the object and give up the reference to it. Memory out (also an object that is NULL for
 * that reason) shows in dst->failed. */
void kk_json_write(kk_buf *dst, json_t *object);
/* The same with the keys in alphabetical order and numbers in full: equal objects give equal text.
 */
void kk_json_write_sorted(kk_buf *dst, json_t *object);

/* A milli-unit is precise enough for what is measured here. */
json_t *kk_json_real(double value);

/* Deepest nesting of arrays and objects, brackets in strings not counted: a cheap look before
 * parsing, which recurses. */
size_t kk_json_depth(kk_slice text);

#endif
