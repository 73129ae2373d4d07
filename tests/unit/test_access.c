#define _DEFAULT_SOURCE /* mkstemp, setenv */
/* test_access.c - keys, listed origins, addresses behind proxies, and a head's layout. */
#include "base/alloc.h"
#include "base/str.h"
#include "check.h"
#include "server/http/access.h"
#include "server/http/forward.h"
#include "server/http/http_head.h"
#include "server/http/keys.h"
#include "server/http/origin.h"

#include <stdlib.h>
#include <unistd.h>

/* --- keys --- */

/* SHA-256 of "abc" (FIPS 180-2, B.1), without salt. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
/* Of "bc" behind the salt "a": the same bytes. */
#define LINES                                                                                      \
    "# keys\n\nplain:sha256::" ABC "\n  salted:sha256:61:" ABC " requests=5\tchars=70 "            \
    "streams=2\r\n"

static int parse(kk_keys *keys, const char *text, kokoro_error *err)
{
    return kk_keys_parse(keys, kk_slice_of(text), err);
}

TEST(keys_are_found_by_their_hash)
{
    kk_keys keys;
    CHECK_INT(parse(&keys, LINES, NULL), KOKORO_OK);
    CHECK_INT(keys.n, 2);
    CHECK(kk_keys_find(&keys, KK_SLICE("abc")) == &keys.items[0]);
    const kk_key *salted = kk_keys_find(&keys, KK_SLICE("bc"));
    CHECK(salted == &keys.items[1]);
    CHECK_STR(salted->name, "salted");
    CHECK_INT(salted->limits.requests_per_min, 5);
    CHECK_INT(salted->limits.chars_per_min, 70);
    CHECK_INT(salted->limits.streams, 2);
    CHECK(kk_keys_find(&keys, KK_SLICE("ab")) == NULL);
    CHECK(kk_keys_find(&keys, KK_SLICE("abcd")) == NULL);
    CHECK(kk_keys_find(&keys, KK_SLICE("")) == NULL);
    CHECK(kk_keys_named(&keys, "plain") == &keys.items[0]);
    CHECK(kk_keys_named(&keys, "Plain") == NULL);
    kk_keys_fini(&keys);
}

TEST(a_written_key_is_read_again)
{
    static const unsigned char salt[3] = {0, 0x7f, 0xff};
    kk_keys keys;
    kk_buf text = KK_BUF_INIT;
    kk_key key = {.name = "me", .limits = {.chars_per_min = 9}};
    kk_key_set_secret(&key, salt, sizeof(salt), KK_SLICE("secret"));
    kk_key_write(&text, &key);
    CHECK(strstr(text.data, "secret") == NULL);
    CHECK_INT(parse(&keys, text.data, NULL), KOKORO_OK);
    const kk_key *found = kk_keys_find(&keys, KK_SLICE("secret"));
    CHECK(found != NULL && found->limits.chars_per_min == 9 && found->limits.streams == 0);
    kk_keys_fini(&keys);
    kk_buf_fini(&text);
}

TEST(bad_lines_are_named_and_never_shown)
{
    static const char *const bad[] = {"kokoro_secret\n",
                                      "a b:sha256::" ABC "\n",
                                      ":sha256::" ABC "\n",
                                      "a:sha512::" ABC "\n",
                                      "a:sha256:" ABC "\n",
                                      "a:sha256:6:" ABC "\n",
                                      "a:sha256:6g:" ABC "\n",
                                      "a:sha256::" ABC "00\n",
                                      "a:sha256::" ABC " more\n",
                                      "a:sha256::" ABC " x=1\n",
                                      "a:sha256::" ABC " requests=\n",
                                      "a:sha256::" ABC " chars=-1\n",
                                      "a:sha256::" ABC " streams=99999999999\n"};
    kk_keys keys;
    kokoro_error error;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        kk_buf text = KK_BUF_INIT;
        kk_buf_appendf(&text, "ok:sha256::" ABC "\n%s", bad[i]);
        CHECK_INT(parse(&keys, text.data, &error), KOKORO_INVALID);
        CHECK_HAS(error.message, "line 2:");
        CHECK(strstr(error.message, "kokoro_secret") == NULL);
        CHECK(keys.items == NULL);
        kk_buf_fini(&text);
    }
    CHECK_INT(parse(&keys, "a:sha256::" ABC "\na:sha256::" ABC "\n", &error), KOKORO_INVALID);
    CHECK_HAS(error.message, "already");
}

TEST(keys_without_memory)
{
    kk_keys keys;
    kk_alloc_fail_at(1, 1);
    CHECK_INT(parse(&keys, LINES, NULL), KOKORO_NO_MEMORY);
    kk_alloc_fail_at(0, 0);
    CHECK(keys.items == NULL);
}

/* --- limits --- */

static char keys_path[] = "test-keys-XXXXXX";

static void write_keys(const char *text)
{
    FILE *file = fopen(keys_path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void configure(kk_config *config, const char *path)
{
    (void)unsetenv("KOKORO_ALLOW_ORIGINS");
    CHECK_INT(setenv("KOKORO_API_KEYS_FILE", path, 1), 0);
    kk_config_init(config);
    CHECK_INT(kk_config_load(config, NULL, NULL, NULL, NULL), KOKORO_OK);
}

static kk_http_request ask(kk_access *access, const kk_http_field *header)
{
    kk_http_request request = {.headers = header, .n_headers = 1, .client = "127.0.0.1"};
    kk_access_identify(access, &request);
    return request;
}

TEST(a_key_has_its_limits)
{
    static const kk_http_field good = {"authorization", "bearer  bc "}, bad = {"X-API-Key", "x"},
                               plain = {"X-API-Key", "abc"}, empty = {"Authorization", "Bearer "};
    static const kk_http_field both[] = {{"Authorization", "Bearer "}, {"X-API-Key", "abc"}};
    kk_config config;
    kk_access *access = NULL;
    bool has_all = true;
    const kk_log log = {NULL, NULL};
    int fd = mkstemp(keys_path);
    CHECK(fd >= 0 && close(fd) == 0);
    write_keys(LINES);
    configure(&config, keys_path);
    CHECK_INT(kk_access_create(&access, &config, NULL), KOKORO_OK);
    CHECK(kk_access_has_keys(access));
    kk_http_request request = ask(access, &bad);
    CHECK(request.needs_key && request.key == NULL && request.group == 0);
    CHECK(ask(access, &empty).key == NULL);
    request = (kk_http_request){.headers = both, .n_headers = 2, .client = "127.0.0.1"};
    kk_access_identify(access, &request);
    CHECK_STR(request.key_name, "plain");
    request = ask(access, &plain);
    CHECK_STR(request.key_name, "plain");
    for (int i = 0; i < 100; i++)
        CHECK_INT(kk_access_begin(access, &request, &has_all), 0);
    uint64_t other = request.group;
    request = ask(access, &good);
    CHECK_STR(request.key_name, "salted");
    CHECK(request.group != 0 && request.group != other);
    CHECK_INT(kk_access_begin(access, &request, &has_all), 0);
    CHECK_INT(kk_access_begin(access, &request, &has_all), 0);
    CHECK(!has_all);
    CHECK_INT(kk_access_begin(access, &request, &has_all), 1); /* a third stream */
    CHECK(has_all);
    kk_access_end(access, &request);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(kk_access_begin(access, &request, &has_all), 0);
        kk_access_end(access, &request);
    }
    unsigned wait_s = kk_access_begin(access, &request, &has_all); /* the sixth of five a minute */
    CHECK(wait_s >= 10 && wait_s <= 12);
    CHECK(!has_all);
    CHECK_INT(kk_access_take_chars(access, &request, 60), 0);
    wait_s = kk_access_take_chars(access, &request, 35); /* 25 more at 70 a minute */
    CHECK(wait_s >= 20 && wait_s <= 22);
    wait_s = kk_access_take_chars(access, &request, 500); /* never more than a full minute */
    CHECK(wait_s >= 50 && wait_s <= 52);
    kk_access_add_chars(access, &request, 70); /* from 10 left to 60 too many */
    wait_s = kk_access_take_chars(access, &request, 1);
    CHECK(wait_s >= 50 && wait_s <= 53);

    write_keys("salted:sha256:61:" ABC "\n");
    kk_access_reload(access, &config, &log);
    CHECK(ask(access, &plain).key == NULL);
    CHECK_INT(kk_access_begin(access, &request, &has_all), 0); /* no limits any more */
    write_keys("nonsense\n");
    kk_access_reload(access, &config, &log);
    CHECK(ask(access, &good).key != NULL);
    kk_access_destroy(&access);
    CHECK_INT(kk_access_create(&access, &config, NULL), KOKORO_INVALID);
    CHECK(access == NULL);
    write_keys(LINES);
    for (size_t k = 1;; k++) {
        kk_alloc_fail_at(k, 0);
        int status = kk_access_create(&access, &config, NULL);
        size_t n = kk_alloc_count();
        kk_alloc_fail_at(0, 0);
        if (n < k) {
            CHECK_INT(status, KOKORO_OK);
            break;
        }
        CHECK_INT(status, KOKORO_NO_MEMORY);
        CHECK(access == NULL);
    }
    kk_access_destroy(&access);
    kk_config_fini(&config);
    CHECK_INT(unlink(keys_path), 0);
    configure(&config, keys_path);
    CHECK_INT(kk_access_create(&access, &config, NULL), KOKORO_NOT_FOUND);
    kk_config_fini(&config);
    (void)unsetenv("KOKORO_API_KEYS_FILE");
}

/* --- origins --- */

TEST(origins_are_listed_by_name)
{
    const char *list = "https://example.org, http://localhost:3000";
    CHECK_INT(kk_origins_check(list, NULL), KOKORO_OK);
    CHECK_INT(kk_origins_check("", NULL), KOKORO_OK);
    CHECK(kk_origins_have(list, "https://example.org"));
    CHECK(kk_origins_have(list, "http://LOCALHOST:3000"));
    CHECK(!kk_origins_have(list, "http://example.org"));
    CHECK(!kk_origins_have(list, "https://example.org:444"));
    CHECK(!kk_origins_have(list, "https://example.org.evil"));
    CHECK(!kk_origins_have(list, "null"));
    CHECK(!kk_origins_have(list, ""));
    static const char *const bad[] = {"*",        "https://*",  "example.org",
                                      "https://", "https://a/", "https://a:b",
                                      "null",     "ftp://a",    "https://u@a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_INT(kk_origins_check(bad[i], NULL), KOKORO_INVALID);
}

/* --- proxies --- */

TEST(networks_are_matched_by_their_bits)
{
    kk_proxies p;
    CHECK_INT(
        kk_proxies_parse(&p, "127.0.0.1 10.0.0.0/8,fd00::/9 192.168.4.0/22 ::ffff:1.2.3.4", NULL),
        KOKORO_OK);
    CHECK_INT(p.n, 5);
    static const char *const in[] = {"127.0.0.1",   "10.255.1.2",      "fd7f::1",
                                     "192.168.7.9", "::ffff:10.0.0.1", "1.2.3.4"};
    static const char *const out[] = {"127.0.0.2", "11.0.0.0", "fd80::1", "192.168.8.1",
                                      "::1",       "",         "name"};
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        CHECK(kk_proxies_have(&p, in[i]));
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
        CHECK(!kk_proxies_have(&p, out[i]));
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8", "a",
                                      "::1/129",     "::1/",     "1.2.3.4/x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_INT(kk_proxies_parse(&p, bad[i], NULL), KOKORO_INVALID);
}

TEST(only_listed_proxies_are_believed)
{
    static const struct {
        const char *peer, *forwarded_for, *forwarded, *client;
    } cases[] = {
        {"9.9.9.9", "1.1.1.1", NULL, "9.9.9.9"},
        {"10.0.0.1", NULL, NULL, "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1", NULL, "1.1.1.1"},
        {"10.0.0.1", "6.6.6.6, 1.1.1.1", NULL, "1.1.1.1"},
        {"10.0.0.1", "6.6.6.6, 1.1.1.1 ,10.0.0.2", NULL, "1.1.1.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3"},
        {"10.0.0.1", "1.1.1.1:567", NULL, "1.1.1.1"},
        {"10.0.0.1", "1.1.1.1, unknown", NULL, "10.0.0.1"},
        {"10.0.0.1", "", NULL, "10.0.0.1"},
        {"10.0.0.1", ",,", NULL, "10.0.0.1"},
        {"10.0.0.1", NULL, "for=1.1.1.1;proto=https", "1.1.1.1"},
        {"10.0.0.1", NULL, "For=\"[2001:db8::1]:8080\"", "2001:db8::1"},
        {"10.0.0.1", NULL, "for=6.6.6.6, proto=http; for=1.1.1.1", "1.1.1.1"},
        {"10.0.0.1", NULL, "for=_hidden", "10.0.0.1"},
        {"10.0.0.1", NULL, "proto=http", "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1", "for=1.1.1.1", "1.1.1.1"},
        {"10.0.0.1", "1.1.1.1", "for=6.6.6.6", "10.0.0.1"},
        {"10.0.0.1", "2001:DB8::1", NULL, "2001:db8::1"},
        {"10.0.0.1", "::ffff:1.1.1.1", NULL, "1.1.1.1"},
    };
    kk_proxies p;
    CHECK_INT(kk_proxies_parse(&p, "10.0.0.0/8", NULL), KOKORO_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char client[KK_ADDRESS_LEN];
        kk_forwarded_client(&p, cases[i].peer, cases[i].forwarded_for, cases[i].forwarded, client);
        CHECK_STR(client, cases[i].client);
    }
}

/* --- a head's layout --- */

/* `head` as a parser in place leaves it: "/" stands for a zero. */
static bool is_good(const char *picture, size_t version, size_t name, size_t value)
{
    char text[64] = "";
    size_t len = strlen(picture);
    kk_head head;
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(picture[i] == '/' ? '\0' : picture[i]);
    kk_head_begin(&head, text, (kk_slice){text + 2, 1}, text + version);
    kk_head_add(&head, text + name, text + value);
    return kk_head_is_good(&head, text, len);
}

TEST(lines_must_end_in_both_marks)
{
    CHECK(is_good("G/U/V//N/ v////", 4, 7, 10));
    CHECK(is_good("G/U/V//N/v////", 4, 7, 9));
    CHECK(is_good("G/U/V//N//////", 4, 7, 9) == false); /* one byte more than its end */
    CHECK(is_good("G/U/V//N/////", 4, 7, 9));
    CHECK(!is_good("G/U/V/N/ v////", 4, 6, 9));  /* LF behind the first line */
    CHECK(!is_good("G/U/V//N/ v///", 4, 7, 10)); /* LF behind the header or at the end */
    CHECK(!is_good("G/U/V//N/ v/////", 4, 7, 10));
    CHECK(!is_good("G/U/V//N/xv////", 4, 7, 10));  /* something else before the value */
    CHECK(!is_good("G/U//N/ v////", 3, 5, 8));     /* no version */
    CHECK(!is_good("G/U/xV//N/ v////", 5, 8, 11)); /* a zero in the target */
    CHECK(!is_good("Gx/V//N/ v////", 3, 6, 9));    /* or something before it */
}

TEST_MAIN(T(keys_are_found_by_their_hash), T(a_written_key_is_read_again),
          T(bad_lines_are_named_and_never_shown), T(keys_without_memory), T(a_key_has_its_limits),
          T(origins_are_listed_by_name), T(networks_are_matched_by_their_bits),
          T(only_listed_proxies_are_believed), T(lines_must_end_in_both_marks))
