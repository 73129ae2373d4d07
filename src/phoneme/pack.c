/*
 * pack.c - set-up: misaki's JSON lexicons into the mapped file of lexicon_file.h.
 *
 * A word in both gold and silver keeps its gold reading: silver is only asked where gold has
 * nothing.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "phoneme/lexicon_file.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

enum { JSON_MAX = 64 << 20 };

/* An entry with its key at hand for sorting; key offsets are into `strings`. */
typedef struct packer {
    kk_buf strings;
    kk_buf entries[2]; /* of kk_lexicon_entry */
} packer;

static int bad_value(const char *path, const char *key, kokoro_error *err)
{
    return kk_fail(err, KOKORO_BAD_DATA,
                   "%s: the entry of '%.60s' is neither text nor a table of texts", path, key);
}

static void put_pair(packer *p, const char *tag, const char *phonemes)
{
    kk_buf_append(&p->strings, tag, strlen(tag) + 1);
    kk_buf_append(&p->strings, phonemes, strlen(phonemes) + 1);
}

/* The default first, then the tags that have a reading of their own. */
static int put_value(packer *p, const char *path, const char *key, const json_t *value, uint8_t *n,
                     kokoro_error *err)
{
    if (json_is_string(value)) {
        put_pair(p, "", json_string_value(value));
        *n = 1;
        return KOKORO_OK;
    }
    const json_t *by_default = json_object_get(value, "DEFAULT");
    if (!json_is_object(value) || !json_is_string(by_default) || json_object_size(value) > 100)
        return bad_value(path, key, err);
    put_pair(p, "", json_string_value(by_default));
    *n = 1;
    for (void *it = json_object_iter((json_t *)(uintptr_t)value); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)value, it)) {
        const json_t *item = json_object_iter_value(it);
        const char *tag = json_object_iter_key(it);
        if (strcmp(tag, "DEFAULT") == 0 || json_is_null(item))
            continue;
        if (!json_is_string(item))
            return bad_value(path, key, err);
        put_pair(p, tag, json_string_value(item));
        (*n)++;
    }
    return KOKORO_OK;
}

static int put_entry(packer *p, size_t language, const char *path, const char *key,
                     const json_t *value, bool is_gold, kokoro_error *err)
{
    size_t key_len = strlen(key);
    if (key_len == 0 || key_len > KK_LEXICON_KEY_MAX || p->strings.len > UINT32_MAX / 2)
        return kk_fail(err, KOKORO_BAD_DATA, "%s: the word '%.60s' is empty or too long", path,
                       key);
    kk_lexicon_entry entry = {
        .key = (uint32_t)p->strings.len, .key_len = (uint8_t)key_len, .is_gold = is_gold};
    kk_buf_append(&p->strings, key, key_len);
    entry.value = (uint32_t)p->strings.len;
    int status = put_value(p, path, key, value, &entry.n_values, err);
    kk_buf_append(&p->entries[language], &entry, sizeof(entry));
    return status;
}

static int load(json_t **out, const char *path, kokoro_error *err)
{
    kk_buf text = KK_BUF_INIT;
    json_error_t reason;
    int status = kk_file_read(&text, path, JSON_MAX, err);
    if (status == KOKORO_OK) {
        *out = json_loadb(kk_buf_str(&text), text.len, 0, &reason);
        if (!json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
            status = kk_fail(err, KOKORO_BAD_DATA, "%s is not a JSON object of words: %s", path,
                             reason.text);
        }
    }
    kk_buf_fini(&text);
    return status;
}

static int add_language(packer *p, size_t language, const char *dir, kokoro_error *err)
{
    static const char *const names[2] = {"us", "gb"};
    json_t *gold = NULL, *silver = NULL;
    kk_buf paths[2] = {KK_BUF_INIT, KK_BUF_INIT};
    kk_buf_appendf(&paths[0], "%s/%s_gold.json", dir, names[language]);
    kk_buf_appendf(&paths[1], "%s/%s_silver.json", dir, names[language]);
    int status = paths[0].failed || paths[1].failed ? kk_fail_memory(err) : KOKORO_OK;
    if (status == KOKORO_OK)
        status = load(&gold, paths[0].data, err);
    if (status == KOKORO_OK)
        status = load(&silver, paths[1].data, err);
    const char *key;
    json_t *value;
    if (status == KOKORO_OK) {
        json_object_foreach(gold, key, value)
        {
            if (status == KOKORO_OK)
                status = put_entry(p, language, paths[0].data, key, value, true, err);
        }
        json_object_foreach(silver, key, value)
        {
            if (status == KOKORO_OK && json_object_get(gold, key) == NULL)
                status = put_entry(p, language, paths[1].data, key, value, false, err);
        }
    }
    json_decref(gold);
    json_decref(silver);
    kk_buf_fini(&paths[0]);
    kk_buf_fini(&paths[1]);
    return status;
}

/* An entry beside its key, because qsort hands its comparison no context. */
typedef struct sort_item {
    const char *key;
    kk_lexicon_entry entry;
} sort_item;

static int compare_items(const void *a, const void *b)
{
    const sort_item *x = a, *y = b;
    size_t len = x->entry.key_len < y->entry.key_len ? x->entry.key_len : y->entry.key_len;
    int order = memcmp(x->key, y->key, len);
    return order != 0
               ? order
               : (x->entry.key_len > y->entry.key_len) - (x->entry.key_len < y->entry.key_len);
}

/* The entries of one language, sorted, onto the end of *body. */
static bool append_sorted(kk_buf *body, const kk_buf *entries, const char *strings)
{
    size_t n = entries->len / sizeof(kk_lexicon_entry);
    sort_item *items = kk_calloc(n, sizeof(*items));
    if (items == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        memcpy(&items[i].entry, entries->data + i * sizeof(kk_lexicon_entry),
               sizeof(kk_lexicon_entry));
        items[i].key = strings + items[i].entry.key;
    }
    qsort(items, n, sizeof(*items), compare_items);
    for (size_t i = 0; i < n; i++)
        kk_buf_append(body, &items[i].entry, sizeof(items[i].entry));
    kk_free(items);
    return !body->failed;
}

static int write_pack(packer *p, const char *dst_path, kokoro_error *err)
{
    kk_lexicon_head head = {.layout = KK_LEXICON_LAYOUT, .strings_len = (uint32_t)p->strings.len};
    memcpy(head.magic, KK_LEXICON_MAGIC, sizeof(head.magic));
    kk_buf body = KK_BUF_INIT;
    kk_writer writer = {.fd = -1};
    int status = KOKORO_OK;
    for (size_t i = 0; i < 2 && status == KOKORO_OK; i++) {
        head.n_entries[i] = (uint32_t)(p->entries[i].len / sizeof(kk_lexicon_entry));
        if (!append_sorted(&body, &p->entries[i], p->strings.data))
            status = kk_fail_memory(err);
    }
    kk_buf_append(&body, p->strings.data, p->strings.len);
    if (status == KOKORO_OK && body.failed)
        status = kk_fail_memory(err);
    if (status == KOKORO_OK)
        status = kk_writer_open(&writer, dst_path, err);
    if (status == KOKORO_OK) {
        head.hash = kk_hash(body.data, body.len);
        kk_writer_write(&writer, &head, sizeof(head));
        kk_writer_write(&writer, body.data, body.len);
        status = kk_writer_commit(&writer, err);
    }
    kk_buf_fini(&body);
    return status;
}

int kokoro_pack_lexicon(const char *dst_path, const char *src_dir, kokoro_error *err)
{
    packer p = {KK_BUF_INIT, {KK_BUF_INIT, KK_BUF_INIT}};
    int status = add_language(&p, 0, src_dir, err);
    if (status == KOKORO_OK)
        status = add_language(&p, 1, src_dir, err);
    if (status == KOKORO_OK && (p.strings.failed || p.entries[0].failed || p.entries[1].failed))
        status = kk_fail_memory(err);
    if (status == KOKORO_OK && (p.entries[0].len == 0 || p.entries[1].len == 0))
        status = kk_fail(err, KOKORO_BAD_DATA, "the lexicons in %s have no words", src_dir);
    if (status == KOKORO_OK)
        status = write_pack(&p, dst_path, err);
    kk_buf_fini(&p.strings);
    kk_buf_fini(&p.entries[0]);
    kk_buf_fini(&p.entries[1]);
    return status;
}
