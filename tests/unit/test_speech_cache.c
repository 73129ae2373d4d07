/*
 * test_speech_cache.c - the cache on the way of requests, without a server around it: who makes an
 * answer, who waits for it, who gets it when it is not made; with memory out, and from many
 * threads.
 */
#include "bare_server.h"
#include "base/alloc.h"
#include "server/http/http_exchange.h"

#include <sched.h>

enum { IDENTITY = 77 };

static kk_config config;
static kk_server server;

static void set_up(const char *memory_mb)
{
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_RESULT_CACHE_MEMORY_MB, memory_mb, NULL), 0);
    bare_server_start(&server, &config);
    CHECK_INT(kk_speech_cache_create(&server.results, &server, NULL), KOKORO_OK);
}

static void tear_down(void)
{
    kk_speech_cache_destroy(&server.results);
    bare_server_stop(&server, &config);
}

/* One client and what became of it. */
typedef struct client {
    kk_http_exchange *exchange;
    kk_speech_request request;
    kk_speech_entry entry;
    kk_http_response response;
    int n_after;
    bool is_answered;
} client;

static void do_nothing(void *connection)
{
    (void)connection;
}

static void after(void *user, bool is_answered)
{
    client *c = user;
    c->n_after++;
    c->is_answered = is_answered;
}

static void open_client(client *c, const char *body)
{
    const kk_speech_limits limits = {.max_chars = 1000, .default_voice = "af_heart"};
    kk_api_error error;
    memset(c, 0, sizeof(*c));
    c->exchange = kk_exchange_create(1 << 20, 1, -1, c, do_nothing);
    CHECK_INT(kk_speech_request_parse(&c->request, kk_slice_of(body), &limits, &error), 0);
}

static enum kk_speech_look look(client *c)
{
    return kk_speech_cache_look(server.results, &c->entry, c->exchange, &c->exchange->request,
                                &c->request, IDENTITY, &c->response, after, c);
}

static void close_client(client *c)
{
    kk_speech_entry_drop(&c->entry);
    kk_buf_fini(&c->response.body);
    if (c->response.give_back != NULL)
        c->response.give_back(c->response.owner);
    kk_speech_request_fini(&c->request);
    kk_http_release(c->exchange);
}

static void keep(client *c, const char *bytes)
{
    kk_buf body = KK_BUF_INIT;
    kk_buf_append_str(&body, bytes);
    kk_speech_entry_keep(&c->entry, &body, 1.5, IDENTITY);
    kk_buf_fini(&body);
}

/* All that was sent to a client that waited. */
static void check_sent(client *c, const char *want)
{
    char got[64] = "";
    size_t len = 0;
    long n;
    while ((n = kk_exchange_read(c->exchange, got + len, 3, do_nothing)) > 0)
        len += (size_t)n;
    CHECK_INT(n, KK_EXCHANGE_END);
    CHECK_STR(got, want);
    CHECK_INT(c->exchange->length, len);
    CHECK_INT(c->exchange->response.status, 200);
}

#define WHOLE "{\"input\":\"Hi.\",\"stream\":false}"
#define STREAMED "{\"input\":\"Hi.\"}"

TEST(what_was_kept_is_lent)
{
    client a, b;
    set_up("1");
    open_client(&a, WHOLE);
    open_client(&b, WHOLE);
    CHECK_INT(look(&a), KK_LOOK_MISS);
    keep(&a, "sound");
    close_client(&a);
    CHECK_INT(look(&b), KK_LOOK_HIT);
    CHECK(kk_slice_equal(b.response.lent, KK_SLICE("sound")));
    CHECK_STR(b.response.content_type, "audio/mpeg");
    /* And stays whole while it is read, whatever goes meanwhile. */
    CHECK(kk_speech_cache_trim(server.results, 0.0) > 0);
    CHECK(kk_slice_equal(b.response.lent, KK_SLICE("sound")));
    close_client(&b);
    CHECK_INT(a.n_after + b.n_after, 0);
    tear_down();
}

TEST(whole_answers_are_waited_for)
{
    client a, b, c;
    kk_speech_cache_view view;
    set_up("1");
    open_client(&a, WHOLE);
    open_client(&b, WHOLE);
    open_client(&c, WHOLE);
    CHECK_INT(look(&a), KK_LOOK_MISS);
    CHECK_INT(look(&b), KK_LOOK_LATER);
    CHECK_INT(look(&c), KK_LOOK_LATER);
    kk_speech_cache_read(server.results, &view);
    CHECK_INT(view.n_waiting, 2);
    keep(&a, "sound");
    CHECK(b.n_after == 1 && b.is_answered && c.n_after == 1 && c.is_answered);
    check_sent(&b, "sound");
    check_sent(&c, "sound");
    kk_speech_cache_read(server.results, &view);
    CHECK_INT(view.n_waiting, 0);
    close_client(&a);
    close_client(&b);
    close_client(&c);
    tear_down();
}

TEST(when_it_is_not_made_the_next_makes_it)
{
    client a, b, c;
    set_up("1");
    open_client(&a, WHOLE);
    open_client(&b, WHOLE);
    open_client(&c, WHOLE);
    CHECK_INT(look(&a), KK_LOOK_MISS);
    CHECK_INT(look(&b), KK_LOOK_LATER);
    CHECK_INT(look(&c), KK_LOOK_LATER);
    kk_speech_entry_drop(&a.entry);
    CHECK(b.n_after == 1 && !b.is_answered);
    CHECK_INT(c.n_after, 0);
    /* An engine that is another by now: not kept, and not for who waits either. */
    kk_buf body = KK_BUF_INIT;
    kk_buf_append_str(&body, "other sound");
    kk_speech_entry_keep(&b.entry, &body, 1.0, IDENTITY + 1);
    kk_buf_fini(&body);
    CHECK_INT(c.n_after, 0);
    kk_speech_entry_drop(&b.entry);
    CHECK(c.n_after == 1 && !c.is_answered);
    keep(&c, "sound");
    close_client(&a);
    close_client(&b);
    close_client(&c);
    open_client(&a, WHOLE);
    CHECK_INT(look(&a), KK_LOOK_HIT);
    close_client(&a);
    tear_down();
}

TEST(streamed_answers_are_made_apart)
{
    client a, b;
    set_up("1");
    open_client(&a, STREAMED);
    open_client(&b, STREAMED);
    CHECK_INT(look(&a), KK_LOOK_MISS);
    CHECK_INT(look(&b), KK_LOOK_MISS);
    kk_speech_entry_add(&a.entry, "....", 4);
    kk_speech_entry_add(&a.entry, "sound", 5);
    kk_speech_entry_set_head(&a.entry, "head", 4);
    kk_speech_entry_keep(&a.entry, NULL, 1.0, IDENTITY);
    close_client(&a);
    close_client(&b); /* cancelled */
    open_client(&a, STREAMED);
    CHECK_INT(look(&a), KK_LOOK_HIT);
    CHECK(kk_slice_equal(a.response.lent, KK_SLICE("headsound")));
    close_client(&a);
    open_client(&a, WHOLE);
    CHECK_INT(look(&a), KK_LOOK_MISS);
    close_client(&a);
    tear_down();
}

/* Of a budget of 1 MB a quarter for one, and all for those in the making together. */
TEST(copies_stay_within_the_budget)
{
    enum { N = 6, PIECE = 50 * 1024 };
    static char piece[PIECE];
    client all[N];
    char body[64];
    kk_speech_cache_view view;
    size_t n_given_up = 0;
    set_up("1");
    for (int i = 0; i < N; i++) {
        (void)snprintf(body, sizeof(body), "{\"input\":\"Number %d.\"}", i);
        open_client(&all[i], body);
        CHECK_INT(look(&all[i]), KK_LOOK_MISS);
        for (int k = 0; k < 5; k++)
            kk_speech_entry_add(&all[i].entry, piece, PIECE);
        n_given_up += all[i].entry.is_too_long;
    }
    CHECK_INT(n_given_up, 2);
    kk_speech_entry_add(&all[0].entry, piece, PIECE); /* over the quarter */
    CHECK(all[0].entry.is_too_long);
    for (int i = 0; i < N; i++) {
        kk_speech_entry_keep(&all[i].entry, NULL, 1.0, IDENTITY);
        close_client(&all[i]);
    }
    kk_speech_cache_read(server.results, &view);
    CHECK_INT(view.memory.n_entries, 3);
    tear_down();
}

TEST(nothing_is_looked_for_without_room_or_wish)
{
    client a;
    set_up("0");
    open_client(&a, WHOLE);
    CHECK_INT(look(&a), KK_LOOK_MISS);
    CHECK(a.entry.cache == NULL);
    keep(&a, "sound");
    close_client(&a);
    tear_down();
    set_up("1");
    open_client(&a, "{\"input\":\"Hi.\",\"stream\":false,\"no_cache\":true}");
    CHECK_INT(look(&a), KK_LOOK_MISS);
    CHECK(a.entry.cache == NULL);
    keep(&a, "sound");
    close_client(&a);
    open_client(&a, WHOLE);
    CHECK_INT(look(&a), KK_LOOK_MISS);
    close_client(&a);
    tear_down();
}

/* Each allocation failing once: who asks is answered or told to make it, and nothing leaks. */
TEST(every_allocation_may_fail)
{
    client a, b;
    set_up("1");
    bool is_whole = false;
    size_t k = 0;
    while (!is_whole && k < 200) {
        open_client(&a, WHOLE);
        open_client(&b, WHOLE);
        kk_alloc_fail_at(++k, 0);
        enum kk_speech_look first = look(&a), second = look(&b);
        keep(&a, "sound");
        kk_speech_entry_drop(&a.entry);
        is_whole = kk_alloc_count() < k;
        kk_alloc_fail_at(0, 0);
        CHECK_INT(first, KK_LOOK_MISS);
        CHECK(second != KK_LOOK_HIT);
        CHECK_INT(b.n_after, second == KK_LOOK_LATER);
        if (b.is_answered)
            check_sent(&b, "sound");
        close_client(&a);
        close_client(&b);
        (void)kk_speech_cache_trim(server.results, 0.0);
    }
    CHECK(is_whole);
    CHECK(k > 4);
    tear_down();
}

/* --- many threads --- */

typedef struct waiter {
    client client;
    atomic_int state; /* 0: waits, 1: answered, 2: to be made */
} waiter;

static void after_wait(void *user, bool is_answered)
{
    waiter *w = user;
    atomic_store(&w->state, is_answered ? 1 : 2);
}

static void *ask_often(void *user)
{
    const int seed = *(const int *)user;
    int *n_wrong = user;
    *n_wrong = 0;
    for (int i = 0; i < 300; i++) {
        waiter w;
        char body[64], sound[16];
        const int number = (i * 7 + seed) % 5;
        (void)snprintf(body, sizeof(body), "{\"input\":\"Number %d.\",\"stream\":false}", number);
        (void)snprintf(sound, sizeof(sound), "sound %d", number);
        open_client(&w.client, body);
        atomic_init(&w.state, 0);
        client *c = &w.client;
        enum kk_speech_look found =
            kk_speech_cache_look(server.results, &c->entry, c->exchange, &c->exchange->request,
                                 &c->request, IDENTITY, &c->response, after_wait, &w);
        while (found == KK_LOOK_LATER && atomic_load(&w.state) == 0)
            (void)sched_yield();
        if (found == KK_LOOK_HIT)
            *n_wrong += !kk_slice_equal(c->response.lent, kk_slice_of(sound));
        if (found == KK_LOOK_LATER && atomic_load(&w.state) == 1) {
            char got[16] = "";
            long n = kk_exchange_read(c->exchange, got, sizeof(got) - 1, do_nothing);
            *n_wrong += n <= 0 || strcmp(got, sound) != 0;
        } else if (found != KK_LOOK_HIT && (i + seed) % 3 != 0) {
            keep(c, sound);
        }
        close_client(c);
        if (i % 20 == 0)
            (void)kk_speech_cache_trim(server.results, 0.0);
    }
    return NULL;
}

TEST(many_threads_get_their_own_answers)
{
    enum { N = 4 };
    pthread_t threads[N];
    int seeds[N];
    kk_speech_cache_view view;
    set_up("1");
    for (int i = 0; i < N; i++) {
        seeds[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, ask_often, &seeds[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        (void)pthread_join(threads[i], NULL);
        CHECK_INT(seeds[i], 0);
    }
    kk_speech_cache_read(server.results, &view);
    CHECK_INT(view.n_waiting, 0);
    tear_down();
}

TEST_MAIN(T(what_was_kept_is_lent), T(whole_answers_are_waited_for),
          T(when_it_is_not_made_the_next_makes_it), T(streamed_answers_are_made_apart),
          T(copies_stay_within_the_budget), T(nothing_is_looked_for_without_room_or_wish),
          T(every_allocation_may_fail), T(many_threads_get_their_own_answers))
