#define _DEFAULT_SOURCE /* usleep */
/* test_http_slow.c - answers that are whole at once, and clients who take them slowly, over real
 * sockets. */
#include "base/clock.h"
#include "check.h"
#include "server/http/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The least is 500 bytes a second over IDLE_S. A socket tells of room in steps of some 2 KB, which
 * at this speed come within IDLE_S, so that it is not silence that is cut. */
enum { IDLE_S = 10, STEP_BYTES = 420, REQUEST_S = 3 };

/* All of a short one is with the library at once, which would wait for ever. */
enum { SHORT_LEN = 24 * 1000, LONG_LEN = 1000 * 1000 };

static atomic_int n_sent, n_cut, last_status;
static kk_http *http;

static enum kk_http_verdict check(void *user, kk_http_request *request, kk_http_response *response)
{
    (void)user;
    (void)request;
    (void)response;
    return KK_HTTP_LATER;
}

static enum kk_http_verdict handle(void *user, kk_http_exchange *exchange,
                                   const kk_http_request *request, kk_http_response *response)
{
    (void)user;
    (void)exchange;
    const size_t len = strcmp(request->path, "/short") == 0 ? SHORT_LEN : LONG_LEN;
    for (size_t i = 0; i < len; i++)
        kk_buf_append_char(&response->body, (char)('a' + i % 26));
    return KK_HTTP_NOW;
}

static void done(void *user, const kk_http_request *request, int status, double audio_s)
{
    (void)user;
    (void)request;
    (void)audio_s;
    CHECK(status == 200 || status == 499 || status == 408 || status == 503);
    last_status = status;
    *(status == 200 ? &n_sent : &n_cut) += 1;
}

static void start(void)
{
    bool is_loopback;
    const kk_http_limits limits = {.max_body_len = 1000,
                                   .max_connections = 10,
                                   .idle_s = IDLE_S,
                                   .request_s = REQUEST_S,
                                   .stream_s = 10,
                                   .buffer_len = 4096};
    const kk_http_handler handler = {.check = check,
                                     .handle = handle,
                                     .done = done,
                                     .too_slow_body = "too slow",
                                     .cut_short_body = "",
                                     .stopping_body = "stopping",
                                     .too_long_body = ""};
    n_sent = n_cut = 0;
    CHECK_INT(kk_http_start(&http, "127.0.0.1", 0, &limits, &handler, &is_loopback, NULL),
              KOKORO_OK);
}

/* The server's end of a connection, which is in this process too; -1 while there is none. */
static int other_end(int fd)
{
    struct sockaddr_in mine, peer;
    socklen_t len = sizeof(mine);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&mine, &len), 0);
    for (int other = 3; other < 200; other++) {
        len = sizeof(peer);
        if (other != fd && getpeername(other, (struct sockaddr *)&peer, &len) == 0 &&
            peer.sin_family == AF_INET && peer.sin_port == mine.sin_port)
            return other;
    }
    return -1;
}

/* Both ends with the smallest buffers there are, so that the server sees how fast its client reads.
 */
static int dial(void)
{
    const int smallest = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)kk_http_port(http)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), other = -1;
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    while ((other = other_end(fd)) < 0)
        (void)usleep(1000);
    CHECK_INT(setsockopt(other, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest)), 0);
    return fd;
}

static void ask(int fd, const char *path)
{
    char text[100];
    const int len =
        snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    CHECK_INT(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

TEST(who_takes_a_whole_answer_too_slowly_is_cut)
{
    char piece[STEP_BYTES];
    start();
    const double start_s = kk_now_s();
    const int fds[] = {dial(), dial()};
    ask(fds[0], "/long");
    ask(fds[1], "/short");
    while (n_cut < 2 && kk_now_s() - start_s < 4.5 * IDLE_S) {
        for (int i = 0; i < 2; i++)
            (void)recv(fds[i], piece, sizeof(piece), MSG_DONTWAIT);
        (void)usleep(1000 * 1000);
    }
    CHECK_INT(n_cut, 2);
    CHECK_INT(n_sent, 0);
    /* At the second look, not for a silence before. */
    CHECK(kk_now_s() - start_s > 1.5 * IDLE_S);
    for (int i = 0; i < 2; i++)
        (void)close(fds[i]);
    kk_http_stop(&http);
}

/* All that comes up to the end of the connection; `dst` has the first of it, ended by a NUL. */
static size_t receive(int fd, char *dst, size_t size)
{
    char piece[4096];
    const struct timeval patience = {.tv_sec = 20};
    size_t len = 0, kept = 0;
    ssize_t n;
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    while ((n = recv(fd, piece, sizeof(piece), 0)) > 0) {
        const size_t room = size - 1 - kept, now = (size_t)n < room ? (size_t)n : room;
        memcpy(dst + kept, piece, now);
        kept += now;
        len += (size_t)n;
    }
    CHECK_INT(n, 0);
    dst[kept] = '\0';
    return len;
}

TEST(who_has_nothing_more_to_say_gets_it_whole)
{
    char answer[1000];
    start();
    int fd = dial();
    ask(fd, "/long");
    CHECK_INT(shutdown(fd, SHUT_WR), 0);
    const size_t len = receive(fd, answer, sizeof(answer));
    CHECK(len > LONG_LEN && len < LONG_LEN + 300);
    (void)close(fd);
    while (n_sent + n_cut == 0)
        (void)usleep(1000);
    kk_http_stop(&http);
    CHECK_INT(n_sent, 1);
}

/* What a request gets whose body does not come, told to the client and to the log alike. */
static void check_half_body(bool must_cut, const char *head, const char *body, int status)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
    char answer[1000];
    start();
    int fd = dial();
    CHECK_INT(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL), sizeof(text) - 1);
    while (kk_http_active(http) == 0)
        (void)usleep(1000);
    for (int i = 0; n_cut == 0 && i < 100; i++) {
        if (must_cut)
            kk_http_cut(http);
        else
            kk_http_tick(http);
        (void)usleep(100 * 1000);
    }
    (void)receive(fd, answer, sizeof(answer));
    CHECK(strncmp(answer, head, strlen(head)) == 0);
    CHECK(strstr(answer, body) != NULL);
    (void)close(fd);
    CHECK_INT(n_cut, 1);
    CHECK_INT(last_status, status);
    kk_http_stop(&http);
}

TEST(a_body_that_does_not_come_is_told_and_counted)
{
    check_half_body(false, "HTTP/1.1 408 Request Timeout\r\n", "too slow", 408);
}

TEST(a_body_that_has_not_come_when_all_is_cut_is_told)
{
    check_half_body(true, "HTTP/1.1 503 Service Unavailable\r\n", "stopping", 503);
}

TEST_MAIN(T(who_takes_a_whole_answer_too_slowly_is_cut),
          T(who_has_nothing_more_to_say_gets_it_whole),
          T(a_body_that_does_not_come_is_told_and_counted),
          T(a_body_that_has_not_come_when_all_is_cut_is_told))
