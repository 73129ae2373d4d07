/*
 * stream_client.h - one listener of a server: asks for speech over HTTP/1.1 and takes the times at
 * which sound comes in. Small and bounded; for measuring, not for the internet.
 */
#ifndef KK_BENCH_STREAM_CLIENT_H
#define KK_BENCH_STREAM_CLIENT_H

#include "base/str.h"
#include "bench/child.h"

#include <stdint.h>

/* ---- an answer, byte by byte ---------------------------------------------------------------- */

/* Of RFC 9112: a status line, header fields, and a body that is chunked, counted, or ends with the
 * connection. */
typedef struct kk_http_reader {
    int state;  /* of stream_client.c */
    int status; /* 200; 0: not there yet */
    bool is_chunked, has_length, is_over, is_broken;
    uint64_t left;   /* of the body or of the chunk */
    char line[1024]; /* that is coming in */
    size_t line_len;
} kk_http_reader;

#define KK_HTTP_READER_INIT                                                                        \
    {                                                                                              \
        .state = 0                                                                                 \
    }

/* Take bytes in; the body's go to `body`, in parts. False when the answer is broken. */
bool kk_http_read(kk_http_reader *reader, const char *bytes, size_t n,
                  void (*body)(void *user, const char *bytes, size_t n), void *user);

/* ---- a listener ----------------------------------------------------------------------------- */

typedef struct kk_stream_target {
    const char *host;
    int port;
    const char *key; /* sent as a bearer's; NULL or "": none */
} kk_stream_target;

/* Whether a key can stand in a header: of the characters that a bearer's token has (RFC 6750). */
bool kk_stream_key_is_sound(const char *key);

typedef struct kk_stream_request {
    kk_stream_target target;
    const char *text, *voice;
    double limit_s;
    const kk_bench_watch *watch;
} kk_stream_request;

typedef struct kk_stream_figures {
    char problem[160];    /* "": it went well */
    double first_sound_s; /* from the request to the first sample that is not silence */
    double audio_s, wall_s;
    bool ran_dry; /* a listener who begins with the first sound would have had to wait */
} kk_stream_figures;

/* POST /v1/audio/speech, streamed as 16-bit samples, never from a cache. */
void kk_stream_listen(const kk_stream_request *request, kk_stream_figures *out);

/* Whether a server there says that it is well: GET /health gives 200. */
bool kk_stream_server_is_well(const kk_stream_target *target);

/* How the sound of a stream came in, for kk_stream_listen and tests. Times are of kk_now_s. */
typedef struct kk_stream_ear {
    double asked_s, first_s; /* 0: no sound yet */
    double heard_s;          /* sound that came since the first, and is being played */
    uint64_t n_samples;
    bool ran_dry, has_half;
    unsigned char half; /* of a sample whose other byte has not come */
} kk_stream_ear;

void kk_stream_hear(kk_stream_ear *ear, double now_s, const char *bytes, size_t n);

#endif
