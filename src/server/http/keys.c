/* keys.c - reads, writes and compares hashed keys. SHA-256 is libmd's. */
#include "server/http/keys.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"

#include <sha2.h>
#include <string.h>

enum { MAX_FILE = 1 << 20, MAX_LIMIT = 1000000000 };

void kk_keys_fini(kk_keys *keys)
{
    kk_free(keys->items);
    *keys = (kk_keys)KK_KEYS_INIT;
}

/* --- one line --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = kk_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(kk_slice text, unsigned char *dst, size_t size, size_t *len)
{
    if (text.len % 2 != 0 || text.len / 2 > size)
        return false;
    for (size_t i = 0; i < text.len / 2; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        dst[i] = (unsigned char)(high * 16 + low);
    }
    *len = text.len / 2;
    return true;
}

/* Cut off and give what stands before the next of the marks; all where there is none. */
static kk_slice take_until(kk_slice *text, const char *marks)
{
    kk_slice part = *text;
    size_t len = 0;
    while (len < text->len && strchr(marks, text->data[len]) == NULL)
        len++;
    part.len = len;
    text->data += len;
    text->len -= len;
    if (text->len > 0) {
        text->data++;
        text->len--;
    }
    return part;
}

static bool read_limit(kk_slice word, kk_key_limits *limits)
{
    char number[16];
    long long value;
    kk_slice name = take_until(&word, "=");
    if (word.len == 0 || word.len >= sizeof(number))
        return false;
    memcpy(number, word.data, word.len);
    number[word.len] = '\0';
    if (!kk_parse_int(number, &value) || value < 0 || value > MAX_LIMIT)
        return false;
    if (kk_slice_equal(name, KK_SLICE("requests")))
        limits->requests_per_min = (uint32_t)value;
    else if (kk_slice_equal(name, KK_SLICE("chars")))
        limits->chars_per_min = (uint32_t)value;
    else if (kk_slice_equal(name, KK_SLICE("streams")))
        limits->streams = (uint32_t)value;
    else
        return false;
    return true;
}

bool kk_key_name_is_good(kk_slice name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '\0' || strchr(good, name.data[i]) == NULL)
            return false;
    }
    return name.len > 0 && name.len <= KK_KEY_NAME_LEN;
}

/* What is wrong with the line, or NULL. Never the line itself: it may hold a key. */
static const char *read_line(kk_slice line, kk_key *key)
{
    size_t digest_len = 0;
    *key = (kk_key){.salt_len = 0};
    kk_slice entry = take_until(&line, " \t");
    kk_slice name = take_until(&entry, ":");
    kk_slice method = take_until(&entry, ":");
    kk_slice salt = take_until(&entry, ":");
    if (!kk_key_name_is_good(name))
        return "the name must be 1 to 64 letters, digits, '.', '_' or '-'";
    if (!kk_slice_equal(method, KK_SLICE("sha256")))
        return "behind the name must stand :sha256:SALT:DIGEST";
    if (!read_hex(salt, key->salt, sizeof(key->salt), &key->salt_len))
        return "the salt must be at most 32 bytes in hexadecimal";
    if (!read_hex(entry, key->digest, sizeof(key->digest), &digest_len) ||
        digest_len != KK_KEY_DIGEST_LEN)
        return "the digest must be 32 bytes in hexadecimal";
    memcpy(key->name, name.data, name.len);
    while (line.len > 0) {
        kk_slice word = take_until(&line, " \t");
        if (word.len > 0 && !read_limit(word, &key->limits))
            return "behind the digest may stand requests=N, chars=N and streams=N alone";
    }
    return NULL;
}

/* --- the file --- */

static int add(kk_keys *keys, const kk_key *key)
{
    if (keys->n == keys->capacity) {
        size_t capacity = keys->capacity == 0 ? 8 : 2 * keys->capacity;
        kk_key *items = kk_realloc(keys->items, capacity * sizeof(*items));
        if (items == NULL)
            return KOKORO_NO_MEMORY;
        keys->items = items;
        keys->capacity = capacity;
    }
    keys->items[keys->n++] = *key;
    return KOKORO_OK;
}

int kk_keys_parse(kk_keys *keys, kk_slice text, kokoro_error *err)
{
    *keys = (kk_keys)KK_KEYS_INIT;
    int status = KOKORO_OK;
    for (size_t number = 1; text.len > 0 && status == KOKORO_OK; number++) {
        kk_key key;
        kk_slice line = kk_slice_trim(take_until(&text, "\n"));
        if (line.len == 0 || line.data[0] == '#')
            continue;
        const char *problem = read_line(line, &key);
        if (problem == NULL && kk_keys_named(keys, key.name) != NULL)
            problem = "the name stands there already";
        if (problem == NULL && keys->n >= KK_MAX_KEYS)
            problem = "there are more than 1000 keys";
        if (problem != NULL)
            status = kk_fail(err, KOKORO_INVALID, "line %zu: %s", number, problem);
        else if (add(keys, &key) != KOKORO_OK)
            status = kk_fail_memory(err);
    }
    if (status != KOKORO_OK)
        kk_keys_fini(keys);
    return status;
}

int kk_keys_read(kk_keys *keys, const char *path, kokoro_error *err)
{
    kokoro_error problem;
    kk_buf text = KK_BUF_INIT;
    *keys = (kk_keys)KK_KEYS_INIT;
    int status = kk_file_read(&text, path, MAX_FILE, err);
    if (status == KOKORO_OK) {
        status = kk_keys_parse(keys, (kk_slice){kk_buf_str(&text), text.len}, &problem);
        if (status != KOKORO_OK)
            status =
                kk_fail(err, status, "the keys in %s cannot be used: %s", path, problem.message);
    }
    kk_buf_fini(&text);
    return status;
}

/* --- digests --- */

static void digest_of(unsigned char *digest, const unsigned char *salt, size_t salt_len,
                      kk_slice secret)
{
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, salt, salt_len);
    SHA256Update(&context, (const unsigned char *)secret.data, secret.len);
    SHA256Final(digest, &context);
}

const kk_key *kk_keys_find(const kk_keys *keys, kk_slice secret)
{
    const kk_key *found = NULL;
    for (size_t i = 0; i < keys->n; i++) {
        unsigned char digest[KK_KEY_DIGEST_LEN];
        unsigned difference = 0;
        digest_of(digest, keys->items[i].salt, keys->items[i].salt_len, secret);
        for (size_t k = 0; k < sizeof(digest); k++)
            difference |= (unsigned)(digest[k] ^ keys->items[i].digest[k]);
        if (difference == 0)
            found = &keys->items[i];
    }
    return secret.len > 0 ? found : NULL;
}

const kk_key *kk_keys_named(const kk_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->items[i].name, name) == 0)
            return &keys->items[i];
    }
    return NULL;
}

void kk_key_set_secret(kk_key *key, const unsigned char *salt, size_t salt_len, kk_slice secret)
{
    key->salt_len = salt_len;
    memcpy(key->salt, salt, salt_len);
    digest_of(key->digest, salt, salt_len, secret);
}

static void write_hex(kk_buf *dst, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        kk_buf_appendf(dst, "%02x", (unsigned)bytes[i]);
}

void kk_key_write(kk_buf *dst, const kk_key *key)
{
    kk_buf_appendf(dst, "%s:sha256:", key->name);
    write_hex(dst, key->salt, key->salt_len);
    kk_buf_append_char(dst, ':');
    write_hex(dst, key->digest, sizeof(key->digest));
    if (key->limits.requests_per_min > 0)
        kk_buf_appendf(dst, " requests=%u", (unsigned)key->limits.requests_per_min);
    if (key->limits.chars_per_min > 0)
        kk_buf_appendf(dst, " chars=%u", (unsigned)key->limits.chars_per_min);
    if (key->limits.streams > 0)
        kk_buf_appendf(dst, " streams=%u", (unsigned)key->limits.streams);
    kk_buf_append_char(dst, '\n');
}
