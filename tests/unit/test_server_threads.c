/* test_server_threads.c - the buffer between a worker and a connection. */
#include "base/alloc.h"
#include "check.h"
#include "server/http/http_exchange.h"
#include "server/http/http_watch.h"
#include "server/http/listen.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- exchanges --- */

static atomic_int n_parked, n_woken;

static void park(void *connection)
{
    (void)connection;
    n_parked++;
}

static void wake(void *connection)
{
    (void)connection;
    n_woken++;
}

static kk_http_exchange *new_exchange(size_t buffer_len, int fd)
{
    n_parked = n_woken = 0;
    return kk_exchange_create(buffer_len, 1, fd, &n_parked, wake);
}

TEST(a_connection_parks_until_there_are_bytes)
{
    char dst[16];
    kk_http_exchange *exchange = new_exchange(100, -1);
    kk_http_response response = {.status = 200};
    kk_http_hold(exchange);
    CHECK(!kk_exchange_is_begun_or_park(exchange, park));
    CHECK_INT(n_parked, 1);
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(n_woken, 1);
    CHECK(kk_exchange_is_begun_or_park(exchange, park));
    CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), KK_EXCHANGE_PARKED);
    CHECK_INT(n_parked, 2);
    CHECK_INT(kk_http_write(exchange, "abc", 3), 0);
    CHECK_INT(n_woken, 2);
    CHECK_INT(kk_exchange_read(exchange, dst, 2, park), 2);
    CHECK_INT(kk_exchange_read(exchange, dst + 2, sizeof(dst) - 2, park), 1);
    CHECK(memcmp(dst, "abc", 3) == 0);
    kk_http_end(exchange, true);
    CHECK_INT(n_woken, 2);
    CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), KK_EXCHANGE_END);
    exchange->status = 200;
    CHECK_INT(kk_exchange_close(exchange, true), 200);
    kk_http_release(exchange);
    kk_http_release(exchange);
}

TEST(a_whole_body_is_read_in_pieces)
{
    char dst[4];
    kk_http_exchange *exchange = new_exchange(2, -1);
    kk_http_response response = {.status = 200};
    kk_buf_append_str(&response.body, "abcdef");
    kk_http_begin(exchange, &response, 6);
    kk_http_end(exchange, true);
    CHECK(response.body.data == NULL);
    CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), 4);
    CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), 2);
    CHECK(memcmp(dst, "ef", 2) == 0);
    CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), KK_EXCHANGE_END);
    kk_http_release(exchange);
}

TEST(an_answer_that_failed_is_cut)
{
    char dst[4];
    kk_http_exchange *exchange = new_exchange(2, -1);
    kk_http_response response = {.status = 200};
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(kk_http_write(exchange, "ab", 2), 0);
    kk_http_end(exchange, false);
    CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), 2);
    CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), KK_EXCHANGE_CUT);
    exchange->status = 200;
    CHECK_INT(kk_exchange_close(exchange, false), 500);
    kk_http_release(exchange);

    exchange = new_exchange(2, -1);
    kk_http_end(exchange, false);
    CHECK(kk_exchange_is_cut(exchange));
    CHECK(!kk_exchange_is_begun_or_park(exchange, park));
    CHECK_INT(n_parked, 0);
    kk_http_release(exchange);
}

enum { N_PIECES = 2000, PIECE = 37 };

static void *produce(void *user)
{
    unsigned char piece[PIECE];
    for (int i = 0; i < N_PIECES; i++) {
        for (int k = 0; k < PIECE; k++)
            piece[k] = (unsigned char)(i * PIECE + k);
        if (kk_http_write(user, piece, PIECE) != 0)
            break;
    }
    kk_http_end(user, true);
    kk_http_release(user);
    return NULL;
}

TEST(two_threads_pass_every_byte_in_order)
{
    pthread_t thread;
    kk_http_exchange *exchange = new_exchange(256, -1);
    kk_http_response response = {.status = 200};
    kk_http_hold(exchange);
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(pthread_create(&thread, NULL, produce, exchange), 0);
    size_t at = 0, n_wrong = 0;
    for (;;) {
        char dst[61];
        long n = kk_exchange_read(exchange, dst, sizeof(dst), park);
        if (n == KK_EXCHANGE_END)
            break;
        for (long i = 0; i < n; i++)
            n_wrong += (unsigned char)dst[i] != (unsigned char)at++;
        (void)pthread_mutex_lock(&exchange->mutex);
        CHECK(exchange->out.capacity < 4096);
        (void)pthread_mutex_unlock(&exchange->mutex);
    }
    CHECK_INT(n_wrong, 0);
    CHECK_INT(at, N_PIECES * PIECE);
    (void)pthread_join(thread, NULL);
    kk_http_release(exchange);
}

TEST(a_worker_stops_when_the_connection_closes)
{
    pthread_t thread;
    kk_http_exchange *exchange = new_exchange(256, -1);
    kk_http_response response = {.status = 200};
    kk_http_hold(exchange);
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(pthread_create(&thread, NULL, produce, exchange), 0);
    exchange->status = 200;
    CHECK_INT(kk_exchange_close(exchange, false), 499);
    (void)pthread_join(thread, NULL);
    CHECK(kk_http_is_gone(exchange));
    kk_http_release(exchange);
}

static void *look_later(void *user)
{
    kk_http_exchange *exchange = user;
    while (!kk_http_is_gone(exchange))
        kk_exchange_look(exchange, exchange->request.start_s + 10.0); /* with a limit of 1 s */
    return NULL;
}

TEST(a_client_that_takes_nothing_is_gone)
{
    pthread_t thread;
    kk_http_exchange *exchange = new_exchange(4, -1);
    kk_http_response response = {.status = 200};
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(kk_http_write(exchange, "abcd", 4), 0);
    CHECK_INT(pthread_create(&thread, NULL, look_later, exchange), 0);
    CHECK_INT(kk_http_write(exchange, "e", 1), -1);
    CHECK(kk_http_is_gone(exchange));
    (void)pthread_join(thread, NULL);
    kk_http_release(exchange);
}

TEST(a_client_that_takes_enough_stays)
{
    char dst[4096];
    kk_http_exchange *exchange = new_exchange(1 << 20, -1);
    kk_http_response response = {.status = 200};
    double start_s = exchange->request.start_s;
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(kk_http_write(exchange, (char[20000]){0}, 20000), 0);
    for (int i = 1; i <= 4; i++) { /* 4096 bytes in 2 s are enough, as no worker waits */
        CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), 4096);
        kk_exchange_look(exchange, start_s + 2.0 * i);
        CHECK(!kk_http_is_gone(exchange));
        CHECK(kk_http_gone_for_s(exchange) < 0.0);
    }
    kk_exchange_look(exchange, start_s + 10.0);
    CHECK(kk_http_is_gone(exchange));
    kk_http_release(exchange);
}

/* A stream's buffer is small while all answers together have much waiting, and its own reader is
 * all that it waits for. */
TEST(what_waits_in_all_makes_buffers_small)
{
    static char bytes[KK_HTTP_SMALL_BUFFER];
    kk_http_waiting waiting = {.max = 4 * sizeof(bytes)};
    pthread_t thread;
    kk_http_exchange *whole = new_exchange(1 << 20, -1);
    whole->waiting = &waiting;
    CHECK(!kk_http_collect(whole, waiting.max + 1));
    CHECK_INT(waiting.len, 0);
    CHECK(kk_http_collect(whole, 2 * sizeof(bytes)));
    kk_http_exchange *exchange = new_exchange(1 << 20, -1);
    exchange->waiting = &waiting;
    kk_http_response response = {.status = 200};
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(kk_http_write(exchange, bytes, sizeof(bytes)), 0);
    CHECK_INT(waiting.len, 3 * sizeof(bytes));
    CHECK_INT(pthread_create(&thread, NULL, look_later, exchange), 0);
    CHECK_INT(kk_http_write(exchange, "a", 1), -1); /* would have room by itself */
    (void)pthread_join(thread, NULL);
    kk_http_release(exchange);
    CHECK_INT(waiting.len, 2 * sizeof(bytes));

    exchange = new_exchange(1 << 20, -1);
    exchange->waiting = &waiting;
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    CHECK_INT(kk_http_write(exchange, bytes, sizeof(bytes)), 0);
    CHECK_INT(kk_exchange_read(exchange, bytes, 1, park), 1);
    CHECK_INT(kk_http_write(exchange, "a", 1), 0);
    (void)kk_exchange_close(exchange, false);
    CHECK_INT(waiting.len, 2 * sizeof(bytes));
    kk_http_release(exchange);
    kk_http_release(whole);
    CHECK_INT(waiting.len, 0);
}

static size_t n_blocked, n_freed;

static void count_blocks(void *user, bool is_blocked)
{
    kk_http_exchange *exchange = user;
    n_blocked += is_blocked;
    n_freed += !is_blocked;
    if (is_blocked) /* the lock is free */
        kk_exchange_look(exchange, exchange->request.start_s + (n_blocked > 1 ? 10.0 : 0.0));
    char dst[3];
    if (n_blocked == 1 && is_blocked)
        CHECK_INT(kk_exchange_read(exchange, dst, sizeof(dst), park), 3);
}

/* Once a wait, and also where it ends because the client is gone. */
TEST(a_writer_that_waits_for_its_client_is_told)
{
    kk_http_exchange *exchange = new_exchange(4, -1);
    kk_http_response response = {.status = 200};
    kk_http_begin(exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    kk_http_on_block(exchange, count_blocks, exchange);
    CHECK_INT(kk_http_write(exchange, "abcd", 4), 0);
    CHECK_INT(n_blocked, 0);
    CHECK_INT(kk_http_write(exchange, "efgh", 4), 0);
    CHECK_INT(n_blocked, 1);
    CHECK_INT(n_freed, 1);
    CHECK_INT(kk_http_write(exchange, "i", 1), -1);
    CHECK_INT(n_blocked, 2);
    CHECK_INT(n_freed, 2);
    kk_http_release(exchange);
}

/* --- watched sockets --- */

static void post_gone(void *user)
{
    (void)sem_post(user);
}

TEST(a_client_that_leaves_is_told_at_once)
{
    int fds[2];
    sem_t gone;
    kk_watch *watch = NULL;
    CHECK_INT(sem_init(&gone, 0, 0), 0);
    CHECK_INT(kk_watch_start(&watch, NULL), KOKORO_OK);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    kk_http_exchange *exchange = new_exchange(4, fds[0]);
    CHECK(!kk_exchange_is_begun_or_park(exchange, park));
    kk_watch_add(watch, exchange, false);
    kk_http_on_gone(exchange, post_gone, &gone);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK(!kk_http_is_gone(exchange));
    (void)close(fds[1]);
    CHECK_INT(sem_wait(&gone), 0);
    CHECK(kk_http_is_gone(exchange));
    kk_watch_remove(exchange);
    CHECK_INT(n_woken, 1);
    CHECK_INT(kk_exchange_close(exchange, false), 499);
    CHECK(kk_http_gone_for_s(exchange) >= 0.0);
    CHECK_INT(sem_trywait(&gone), -1); /* once */
    kk_http_on_gone(exchange, post_gone, &gone);
    CHECK_INT(sem_trywait(&gone), 0);
    kk_http_release(exchange);
    (void)close(fds[0]);
    kk_watch_stop(&watch);
    CHECK(watch == NULL);
    (void)sem_destroy(&gone);
}

TEST(all_clients_can_be_let_go)
{
    int fds[2];
    kk_watch *watch = NULL;
    CHECK_INT(kk_watch_start(&watch, NULL), KOKORO_OK);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    kk_http_exchange *exchange = new_exchange(4, fds[0]);
    kk_watch_add(watch, exchange, false);
    kk_watch_lose_all(watch);
    CHECK(kk_http_is_gone(exchange));
    kk_watch_remove(exchange);
    kk_http_release(exchange);
    (void)close(fds[0]);
    (void)close(fds[1]);
    kk_watch_stop(&watch);
    kk_alloc_fail_at(1, 1);
    CHECK_INT(kk_watch_start(&watch, NULL), KOKORO_NO_MEMORY);
    kk_alloc_fail_at(0, 0);
    CHECK(watch == NULL);
}

TEST(headers_are_found_in_any_case)
{
    static const kk_http_field headers[] = {{"Content-Type", "a"}, {"content-TYPE", "b"}};
    static const kk_http_field queries[] = {{"legacy", "true"}, {"limit", ""}};
    const kk_http_request request = {
        .headers = headers, .n_headers = 2, .queries = queries, .n_queries = 2};
    CHECK_STR(kk_http_header(&request, "content-type"), "a");
    CHECK_INT(kk_http_count_headers(&request, "CONTENT-TYPE"), 2);
    CHECK(kk_http_header(&request, "Content") == NULL);
    CHECK_STR(kk_http_query(&request, "limit"), "");
    CHECK(kk_http_query(&request, "Legacy") == NULL);
}

TEST(too_long_headers_are_left_out)
{
    char longer[300];
    kk_http_response response = {.status = 200};
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    kk_http_add_header(&response, "X-A", "%s", longer);
    CHECK_INT(response.n_headers, 0);
    for (int i = 0; i < 2 * KK_HTTP_MAX_HEADERS; i++)
        kk_http_add_header(&response, "X-B", "%d", i);
    CHECK_INT(response.n_headers, KK_HTTP_MAX_HEADERS);
    CHECK_STR(response.headers[3].value, "3");
}

/* --- listening --- */

TEST(ports)
{
    kk_listener first, second;
    kokoro_error error;
    CHECK_INT(kk_listen(&first, "127.0.0.1", 0, &error), KOKORO_OK);
    CHECK(first.port > 0);
    CHECK(first.is_loopback);
    CHECK_INT(kk_listen(&second, "127.0.0.1", first.port, &error), KOKORO_IO);
    CHECK_HAS(error.message, "in use");
    CHECK_HAS(error.message, "--port");
    CHECK_INT(second.fd, -1);
    (void)close(first.fd);
    CHECK_INT(kk_listen(&first, "0.0.0.0", 0, &error), KOKORO_OK);
    CHECK(!first.is_loopback);
    (void)close(first.fd);
    CHECK_INT(kk_listen(&first, "192.0.2.1", 0, &error), KOKORO_IO);
    CHECK_HAS(error.message, "--host");
    CHECK_INT(kk_listen(&first, "no.such.host.invalid", 0, &error), KOKORO_IO);
    CHECK_HAS(error.message, "--host");
}

TEST_MAIN(T(a_connection_parks_until_there_are_bytes), T(a_whole_body_is_read_in_pieces),
          T(an_answer_that_failed_is_cut), T(two_threads_pass_every_byte_in_order),
          T(a_worker_stops_when_the_connection_closes), T(a_client_that_takes_nothing_is_gone),
          T(a_client_that_takes_enough_stays), T(what_waits_in_all_makes_buffers_small),
          T(a_writer_that_waits_for_its_client_is_told), T(a_client_that_leaves_is_told_at_once),
          T(all_clients_can_be_let_go), T(headers_are_found_in_any_case),
          T(too_long_headers_are_left_out), T(ports))
