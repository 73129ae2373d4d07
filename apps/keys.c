/*
 * keys.c - `kokoro keys`: makes, lists and removes the keys of KOKORO_API_KEYS_FILE. A key is shown
 * once, when it is made; the file holds its hash (server/http/keys.h).
 */
#define _DEFAULT_SOURCE /* getrandom in sys/random.h */
#include "cli.h"

#include "base/file.h"
#include "base/status.h"
#include "cache/file_lock.h"
#include "options.h"
#include "server/http/keys.h"

#include <jansson.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { SECRET_LEN = 32, SALT_LEN = 16, MAX_FILE = 1 << 20 };

/* A change takes milliseconds: who waits for so long waits for something else. */
static const double patience_s = 10.0;

/* The file that a command works on. */
typedef struct keys_file {
    const char *path;
    int lock;     /* of who changes it; else -1 */
    kk_buf text;  /* as it stands there */
    kk_keys keys; /* read from it */
} keys_file;

static const char *path_of(const kk_app *app)
{
    const char *path = app->values[KK_KEYS_FILE];
    if (path == NULL)
        path = kk_config_text(&app->config, KK_SET_API_KEYS_FILE);
    if (path[0] == '\0')
        kk_complain("name the file of keys with --file, or in KOKORO_API_KEYS_FILE for the server "
                    "too");
    return path;
}

/* What is in the file; an absent one is empty. */
static int load(keys_file *file, const char *path, kokoro_error *err)
{
    *file = (keys_file){.path = path, .lock = -1, .text = KK_BUF_INIT, .keys = KK_KEYS_INIT};
    int status = kk_file_read(&file->text, path, MAX_FILE, err);
    if (status == KOKORO_NOT_FOUND)
        return KOKORO_OK;
    if (status == KOKORO_OK)
        status = kk_keys_read(&file->keys, path, err);
    return status;
}

/* The same to change it: until it is closed nobody else does, so that no key of two that are added
 * at once is lost. The lock has a file of its own, for the other is replaced. */
static int load_to_change(keys_file *file, const char *path, kokoro_error *err)
{
    int lock = -1;
    kk_buf lock_path = KK_BUF_INIT;
    *file = (keys_file){.path = path, .lock = -1, .text = KK_BUF_INIT, .keys = KK_KEYS_INIT};
    kk_buf_appendf(&lock_path, "%s.lock", path);
    int status = lock_path.failed
                     ? kk_fail_memory(err)
                     : kk_file_lock_take(&lock, kk_buf_str(&lock_path), patience_s, err);
    kk_buf_fini(&lock_path);
    if (status != KOKORO_OK)
        return status;
    status = load(file, path, err);
    file->lock = lock;
    return status;
}

static void close_file(keys_file *file)
{
    kk_keys_fini(&file->keys);
    kk_buf_fini(&file->text);
    kk_file_lock_give(&file->lock);
}

/* For its owner alone, and whole or not at all. */
static int save(const char *path, const kk_buf *text, kokoro_error *err)
{
    kk_writer writer;
    if (text->failed)
        return kk_fail_memory(err);
    int status = kk_writer_open(&writer, path, err);
    if (status != KOKORO_OK)
        return status;
    if (fchmod(writer.fd, S_IRUSR | S_IWUSR) != 0) {
        kk_writer_abort(&writer);
        return kk_fail(err, KOKORO_IO, "the file of keys cannot be kept to its owner");
    }
    kk_writer_write(&writer, text->data, text->len);
    return kk_writer_commit(&writer, err);
}

static void tell_server(void)
{
    kk_complain("a running server reads the keys again on SIGHUP, or when it starts");
}

/* --- add --- */

static bool read_limit(const kk_app *app, int option, const char *name, uint32_t *limit)
{
    long long value = 0;
    const char *text = app->values[option];
    if (text == NULL)
        return true;
    if (!kk_parse_int(text, &value) || value < 0 || value > 1000000000) {
        kk_complain("--%s must be a whole number from 0 to 1000000000, not '%.40s'", name, text);
        return false;
    }
    *limit = (uint32_t)value;
    return true;
}

/* A new secret, as it is shown, of which the key keeps the digest. */
static bool make_secret(kk_key *key, char *secret, size_t size)
{
    unsigned char random[SECRET_LEN + SALT_LEN];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    size_t len = (size_t)snprintf(secret, size, "kokoro_");
    for (size_t i = 0; i < SECRET_LEN; i++, len += 2)
        (void)snprintf(secret + len, size - len, "%02x", (unsigned)random[i]);
    kk_key_set_secret(key, random + SECRET_LEN, SALT_LEN, kk_slice_of(secret));
    return true;
}

static int append_key(const char *path, const kk_key *key, kokoro_error *err)
{
    keys_file file;
    int status = load_to_change(&file, path, err);
    if (status == KOKORO_OK && kk_keys_named(&file.keys, key->name) != NULL)
        status =
            kk_fail(err, KOKORO_INVALID, "a key of that name is there already; remove it first");
    if (status == KOKORO_OK) {
        if (file.text.len > 0 && file.text.data[file.text.len - 1] != '\n')
            kk_buf_append_char(&file.text, '\n');
        kk_key_write(&file.text, key);
        status = save(path, &file.text, err);
    }
    close_file(&file);
    return status;
}

static int add_key(const kk_app *app, const char *path, const char *name)
{
    char secret[7 + 2 * SECRET_LEN + 1];
    kokoro_error error;
    kk_key key = {.salt_len = 0};
    if (!read_limit(app, KK_KEYS_REQUESTS, "requests", &key.limits.requests_per_min) ||
        !read_limit(app, KK_KEYS_CHARS, "chars", &key.limits.chars_per_min) ||
        !read_limit(app, KK_KEYS_STREAMS, "streams", &key.limits.streams))
        return KK_EXIT_USAGE;
    memcpy(key.name, name, strlen(name) + 1);
    if (!make_secret(&key, secret, sizeof(secret))) {
        kk_complain("the system gives no random numbers");
        return KK_EXIT_FAILED;
    }
    if (append_key(path, &key, &error) != KOKORO_OK)
        return kk_complain_of(&error);
    (void)printf("%s\n", secret);
    kk_complain("this is the only time that the key of '%s' is shown", name);
    tell_server();
    return kk_app_flush();
}

/* --- remove and list --- */

/* All lines but the key's. */
static void copy_without(kk_buf *dst, const kk_buf *text, const char *name)
{
    size_t name_len = strlen(name);
    for (const char *at = kk_buf_str(text); *at != '\0';) {
        size_t len = strcspn(at, "\n");
        len += at[len] == '\n';
        kk_slice line = kk_slice_trim((kk_slice){at, len});
        bool is_it = line.len > name_len && line.data[name_len] == ':' &&
                     memcmp(line.data, name, name_len) == 0;
        if (!is_it)
            kk_buf_append(dst, at, len);
        at += len;
    }
}

static int remove_key(const char *path, const char *name)
{
    kokoro_error error;
    keys_file file;
    kk_buf rest = KK_BUF_INIT;
    int status = load_to_change(&file, path, &error);
    bool is_there = status == KOKORO_OK && kk_keys_named(&file.keys, name) != NULL;
    if (is_there) {
        copy_without(&rest, &file.text, name);
        status = save(path, &rest, &error);
    }
    close_file(&file);
    kk_buf_fini(&rest);
    if (status != KOKORO_OK)
        return kk_complain_of(&error);
    if (!is_there) {
        kk_complain("%s holds no key '%s'", path, name);
        return KK_EXIT_FAILED;
    }
    tell_server();
    return KK_EXIT_OK;
}

static json_t *list_object(const kk_key *key)
{
    return json_pack("{s:s, s:i, s:i, s:i}", "name", key->name, "requests_per_minute",
                     (int)key->limits.requests_per_min, "chars_per_minute",
                     (int)key->limits.chars_per_min, "streams", (int)key->limits.streams);
}

static int list_keys(const kk_app *app, const char *path)
{
    kokoro_error error;
    keys_file file;
    if (load(&file, path, &error) != KOKORO_OK) {
        close_file(&file);
        return kk_complain_of(&error);
    }
    json_t *list = app->values[KK_KEYS_JSON] != NULL ? json_array() : NULL;
    for (size_t i = 0; i < file.keys.n; i++) {
        const kk_key *key = &file.keys.items[i];
        if (list != NULL)
            (void)json_array_append_new(list, list_object(key));
        else
            (void)printf("%-24s %u requests, %u characters a minute, %u streams; 0: any number\n",
                         key->name, (unsigned)key->limits.requests_per_min,
                         (unsigned)key->limits.chars_per_min, (unsigned)key->limits.streams);
    }
    close_file(&file);
    return list != NULL ? kk_app_print_json(list) : kk_app_flush();
}

int kk_app_keys(kk_app *app)
{
    const char *what = app->n_words > 0 ? app->words[0] : "";
    const char *name = app->n_words > 1 ? app->words[1] : "";
    bool is_list = strcmp(what, "list") == 0 && app->n_words == 1;
    bool is_add = strcmp(what, "add") == 0 && app->n_words == 2;
    bool is_remove = strcmp(what, "remove") == 0 && app->n_words == 2;
    if (!is_list && !is_add && !is_remove) {
        kk_complain("keys takes add NAME, list, or remove NAME");
        return KK_EXIT_USAGE;
    }
    if (!is_list && !kk_key_name_is_good(kk_slice_of(name))) {
        kk_complain("the name of a key must be 1 to 64 letters, digits, '.', '_' or '-'");
        return KK_EXIT_USAGE;
    }
    const char *path = path_of(app);
    if (path[0] == '\0')
        return KK_EXIT_USAGE;
    if (is_list)
        return list_keys(app, path);
    return is_add ? add_key(app, path, name) : remove_key(path, name);
}
