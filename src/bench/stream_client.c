/* stream_client.c - see stream_client.h. */
#include "bench/stream_client.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STATUS_LINE, FIELD, CHUNK_SIZE, CHUNK_END, TRAILER, BODY };
enum { SLICE_MS = 100, LOUD = 64 }; /* of 32767: 54 dB below full scale */
static const uint64_t MAX_BODY = 1ULL << 30;
static const double DRY_S = 0.01; /* what any player keeps in hand */

/* ---- an answer ------------------------------------------------------------------------------ */

static void read_status(kk_http_reader *r)
{
    int status = 0;
    if (sscanf(r->line, "HTTP/1.%*1[01] %3d", &status) != 1 || status < 100)
        r->is_broken = true;
    r->status = status;
    r->state = FIELD;
}

static void begin_body(kk_http_reader *r)
{
    if (r->status >= 100 && r->status < 200) { /* 100 Continue: another answer follows */
        *r = (kk_http_reader)KK_HTTP_READER_INIT;
        return;
    }
    r->state = r->is_chunked ? CHUNK_SIZE : BODY;
    r->is_over = !r->is_chunked && r->has_length && r->left == 0;
}

static void read_field(kk_http_reader *r)
{
    const char *colon = strchr(r->line, ':');
    if (r->line_len == 0) {
        begin_body(r);
        return;
    }
    if (colon == NULL) {
        r->is_broken = true;
        return;
    }
    const kk_slice name = {r->line, (size_t)(colon - r->line)};
    const kk_slice value = kk_slice_trim(kk_slice_of(colon + 1));
    if (kk_slice_equal_nocase(name, KK_SLICE("transfer-encoding"))) {
        r->is_chunked = true;
        r->is_broken = !kk_slice_equal_nocase(value, KK_SLICE("chunked"));
    } else if (kk_slice_equal_nocase(name, KK_SLICE("content-length"))) {
        char *end = NULL;
        r->left = strtoull(value.data, &end, 10);
        r->has_length = true;
        r->is_broken = end != value.data + value.len || value.len == 0 || r->left > MAX_BODY;
    }
}

static void read_chunk_size(kk_http_reader *r)
{
    char *end = NULL;
    const bool begins_well = strspn(r->line, "0123456789abcdefABCDEF") > 0;
    r->left = strtoull(r->line, &end, 16);
    if (!begins_well || (*end != '\0' && *end != ';' && *end != ' ') || r->left > MAX_BODY)
        r->is_broken = true;
    r->state = r->left > 0 ? BODY : TRAILER;
}

static void take_line(kk_http_reader *r)
{
    if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
        r->line_len--;
    r->line[r->line_len] = '\0';
    if (r->state == STATUS_LINE)
        read_status(r);
    else if (r->state == FIELD)
        read_field(r);
    else if (r->state == CHUNK_SIZE)
        read_chunk_size(r);
    else if (r->state == CHUNK_END) {
        r->is_broken = r->line_len > 0;
        r->state = CHUNK_SIZE;
    } else if (r->line_len == 0) {
        r->is_over = true;
    }
    r->line_len = 0;
}

/* As much of the bytes as belongs to the body or chunk; how many. */
static size_t take_body(kk_http_reader *r, const char *bytes, size_t n,
                        void (*body)(void *user, const char *bytes, size_t n), void *user)
{
    if ((r->is_chunked || r->has_length) && n > r->left)
        n = (size_t)r->left;
    body(user, bytes, n);
    if (!r->is_chunked && !r->has_length)
        return n;
    r->left -= n;
    if (r->left == 0 && r->is_chunked)
        r->state = CHUNK_END;
    else if (r->left == 0)
        r->is_over = true;
    return n;
}

bool kk_http_read(kk_http_reader *r, const char *bytes, size_t n,
                  void (*body)(void *user, const char *bytes, size_t n), void *user)
{
    size_t at = 0;
    while (at < n && !r->is_broken && !r->is_over) {
        if (r->state == BODY) {
            at += take_body(r, bytes + at, n - at, body, user);
        } else if (bytes[at] == '\n') {
            at++;
            take_line(r);
        } else if (r->line_len + 1 < sizeof(r->line)) {
            r->line[r->line_len++] = bytes[at++];
        } else {
            r->is_broken = true;
        }
    }
    return !r->is_broken;
}

/* ---- its sound ------------------------------------------------------------------------------ */

static bool is_loud(const unsigned char *sample)
{
    const int value = (int)(sample[0] | sample[1] << 8);
    const int signed_value = value >= 32768 ? value - 65536 : value;
    return signed_value > LOUD || signed_value < -LOUD;
}

void kk_stream_hear(kk_stream_ear *ear, double now_s, const char *bytes, size_t n)
{
    /* What came before this must have lasted until now. */
    if (ear->first_s > 0.0 && now_s - ear->first_s > ear->heard_s + DRY_S)
        ear->ran_dry = true;
    for (size_t i = 0; i < n; i++) {
        const unsigned char pair[2] = {ear->half, (unsigned char)bytes[i]};
        if (!ear->has_half) {
            ear->half = (unsigned char)bytes[i];
            ear->has_half = true;
            continue;
        }
        ear->has_half = false;
        ear->n_samples++;
        if (ear->first_s <= 0.0 && is_loud(pair))
            ear->first_s = now_s;
        if (ear->first_s > 0.0)
            ear->heard_s += 1.0 / KOKORO_SAMPLE_RATE_HZ;
    }
}

/* ---- a listener ----------------------------------------------------------------------------- */

static int connect_to(const kk_stream_target *target)
{
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int fd = -1;
    (void)snprintf(port, sizeof(port), "%d", target->port);
    if (getaddrinfo(target->host, port, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (fd >= 0)
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

typedef struct listener {
    kk_http_reader reader;
    kk_stream_ear ear;
    char words[120]; /* the begin of an answer that is an error */
    size_t words_len;
} listener;

static void on_body(void *user, const char *bytes, size_t n)
{
    listener *l = user;
    if (l->reader.status == 200) {
        kk_stream_hear(&l->ear, kk_now_s(), bytes, n);
        return;
    }
    for (size_t i = 0; i < n && l->words_len + 1 < sizeof(l->words); i++)
        l->words[l->words_len++] = bytes[i];
    l->words[l->words_len] = '\0';
}

/* Until the answer is over; the problem, or NULL. */
static const char *listen_to(int fd, listener *l, double end_s, const kk_bench_watch *watch)
{
    char bytes[16384];
    while (!l->reader.is_over) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        const int n_ready = poll(&wait, 1, SLICE_MS);
        if (kk_watch_stopped(watch))
            return "stopped";
        if (kk_now_s() > end_s)
            return "no end in time";
        if (n_ready <= 0)
            continue;
        const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return "the connection failed";
        if (n == 0) {
            const bool may_end =
                l->reader.state == BODY && !l->reader.is_chunked && !l->reader.has_length;
            return may_end ? NULL : "the connection ended before the answer";
        }
        if (!kk_http_read(&l->reader, bytes, (size_t)n, on_body, l))
            return "the answer is no HTTP";
    }
    return NULL;
}

static const char *exchange(const kk_stream_target *target, const char *head, const char *body,
                            listener *l, double limit_s, const kk_bench_watch *watch)
{
    const int fd = connect_to(target);
    if (fd < 0)
        return "nobody answers";
    l->ear.asked_s = kk_now_s();
    const char *problem = "the connection failed";
    if (kk_write_all(fd, head, strlen(head)) == 0 && kk_write_all(fd, body, strlen(body)) == 0)
        problem = listen_to(fd, l, l->ear.asked_s + limit_s, watch);
    (void)close(fd);
    return problem;
}

static char *make_body(const kk_stream_request *request)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "model", "kokoro", "input", request->text,
                  "voice", request->voice, "response_format", "pcm", "stream", 1, "no_cache", 1);
    char *body = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return body;
}

bool kk_stream_key_is_sound(const char *key)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~+/=";
    return key[strspn(key, characters)] == '\0';
}

static void make_head(kk_buf *head, const kk_stream_target *target, size_t body_len)
{
    const bool has_key = target->key != NULL && target->key[0] != '\0';
    kk_buf_appendf(head,
                   "POST /v1/audio/speech HTTP/1.1\r\nHost: %.200s:%d\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\nConnection: close\r\n",
                   target->host, target->port, body_len);
    if (has_key)
        kk_buf_appendf(head, "Authorization: Bearer %s\r\n", target->key);
    kk_buf_append_str(head, "\r\n");
}

void kk_stream_listen(const kk_stream_request *request, kk_stream_figures *out)
{
    listener l = {.reader = KK_HTTP_READER_INIT};
    kk_buf head = KK_BUF_INIT;
    char *body = make_body(request);
    *out = (kk_stream_figures){.ran_dry = false};
    make_head(&head, &request->target, body != NULL ? strlen(body) : 0);
    const char *problem = body != NULL && !head.failed
                              ? exchange(&request->target, kk_buf_str(&head), body, &l,
                                         request->limit_s, request->watch)
                              : "out of memory";
    free(body);
    kk_buf_fini(&head);
    if (problem == NULL && l.reader.status != 200) {
        (void)snprintf(out->problem, sizeof(out->problem), "status %d: %s", l.reader.status,
                       l.words);
        return;
    }
    if (problem == NULL && l.ear.first_s <= 0.0)
        problem = "no sound came";
    (void)snprintf(out->problem, sizeof(out->problem), "%s", problem != NULL ? problem : "");
    out->wall_s = kk_now_s() - l.ear.asked_s;
    out->audio_s = (double)l.ear.n_samples / KOKORO_SAMPLE_RATE_HZ;
    out->first_sound_s = l.ear.first_s > 0.0 ? l.ear.first_s - l.ear.asked_s : 0.0;
    out->ran_dry = l.ear.ran_dry;
}

bool kk_stream_server_is_well(const kk_stream_target *target)
{
    listener l = {.reader = KK_HTTP_READER_INIT};
    char head[320];
    (void)snprintf(head, sizeof(head),
                   "GET /health HTTP/1.1\r\nHost: %.200s:%d\r\nConnection: close\r\n\r\n",
                   target->host, target->port);
    return exchange(target, head, "", &l, 5.0, NULL) == NULL && l.reader.status == 200;
}
