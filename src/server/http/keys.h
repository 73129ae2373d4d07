/*
 * keys.h - the file of Bearer keys: a line a key, none of which can be read back from it.
 *
 *     # a comment
 *     NAME:sha256:SALT:DIGEST [requests=N] [chars=N] [streams=N]
 *
 * SALT is 0 to 32 bytes and DIGEST the SHA-256 of SALT and the key behind it, both in hexadecimal.
 * The limits are requests and characters a minute, and answers in the making at once; absent or 0:
 * none.
 */
#ifndef KK_SERVER_KEYS_H
#define KK_SERVER_KEYS_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

enum { KK_KEY_NAME_LEN = 64, KK_KEY_SALT_LEN = 32, KK_KEY_DIGEST_LEN = 32, KK_MAX_KEYS = 1000 };

typedef struct kk_key_limits {
    uint32_t requests_per_min, chars_per_min, streams; /* 0: none */
} kk_key_limits;

typedef struct kk_key {
    char name[KK_KEY_NAME_LEN + 1]; /* letters, digits, '.', '_', '-' */
    unsigned char salt[KK_KEY_SALT_LEN], digest[KK_KEY_DIGEST_LEN];
    size_t salt_len;
    kk_key_limits limits;
} kk_key;

typedef struct kk_keys {
    kk_key *items;
    size_t n, capacity;
} kk_keys;

#define KK_KEYS_INIT                                                                               \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void kk_keys_fini(kk_keys *keys);
/* The keys of a file's text. INVALID names the line, NO_MEMORY. */
int kk_keys_parse(kk_keys *keys, kk_slice text, kokoro_error *err);
/* The same of a file. NOT_FOUND, IO, INVALID (names file and line), NO_MEMORY. */
int kk_keys_read(kk_keys *keys, const char *path, kokoro_error *err);
/* The key that `secret` is; NULL when it is none. The time it takes tells nothing of the digests.
 */
const kk_key *kk_keys_find(const kk_keys *keys, kk_slice secret);
const kk_key *kk_keys_named(const kk_keys *keys, const char *name);
bool kk_key_name_is_good(kk_slice name);

/* Fill salt and digest. */
void kk_key_set_secret(kk_key *key, const unsigned char *salt, size_t salt_len, kk_slice secret);
/* Its line, with the line's end. */
void kk_key_write(kk_buf *dst, const kk_key *key);

#endif
