/*
 * piece_times.c - a chunk in pieces beside the same chunk made whole, in turns in one engine, for
 * quality_pieces.py.
 *
 *     piece_times MODEL VOICES LEXICON CACHE THREADS ROUNDS     jobs on standard input, a line
 * each: OUT VOICE TEXT
 *
 * Writes OUT/whole.f32 and OUT/pieces.f32 and answers each job with a line of JSON: seconds of
 * sound, of the whole's model, to the first piece and to the last (medians of ROUNDS after one that
 * does not count), and the samples at which pieces are joined. Text is one sentence; the clock
 * starts when it is read, as `first_audio_ms` does less what phonemes take.
 */
#include "bench/statistics.h"
#include "kokoro/kokoro.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 4096, MOST_SEAMS = 64, MOST_ROUNDS = 99 };

typedef struct take {
    FILE *file; /* NULL: the sound is not kept */
    size_t n, seams[MOST_SEAMS], n_seams;
} take;

static int keep(void *user, const kokoro_chunk *chunk)
{
    take *t = user;
    if (t->n > 0 && t->n_seams < MOST_SEAMS)
        t->seams[t->n_seams++] = t->n;
    t->n += chunk->n_samples;
    return t->file != NULL &&
           fwrite(chunk->samples, sizeof(float), chunk->n_samples, t->file) != chunk->n_samples;
}

/* NaN where memory is out. */
static double median(double *values, size_t n)
{
    kk_summary summary;
    const kk_samples samples = {.values = values, .n = n};
    return kk_summarise(&samples, &summary) == KOKORO_OK ? summary.median : (double)NAN;
}

static int speak(kokoro_engine *engine, const kokoro_request *request, const char *path, take *t,
                 kokoro_stats *stats, kokoro_error *err)
{
    *t = (take){.file = path != NULL ? fopen(path, "wb") : NULL};
    if (path != NULL && t->file == NULL) {
        (void)snprintf(err->message, sizeof(err->message), "cannot write %.200s", path);
        return KOKORO_IO;
    }
    int status = kokoro_speak(engine, request, keep, t, stats, err);
    if (t->file != NULL && fclose(t->file) != 0 && status == KOKORO_OK)
        status = KOKORO_IO;
    return status;
}

static int measure(kokoro_engine *engine, const char *out, const char *voice, const char *text,
                   size_t n_rounds, kokoro_error *err)
{
    double whole_s[MOST_ROUNDS], first_s[MOST_ROUNDS], pieces_s[MOST_ROUNDS];
    char path[LINE_SIZE + 16];
    kokoro_stats stats;
    take whole, pieces;
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = text;
    request.text_len = strlen(text);
    request.voice = voice;
    for (size_t round = 0; round <= n_rounds; round++) {
        const size_t i = round > 0 ? round - 1 : 0;
        request.pieces = false;
        (void)snprintf(path, sizeof(path), "%s/whole.f32", out);
        int status = speak(engine, &request, round == 0 ? path : NULL, &whole, &stats, err);
        whole_s[i] = 1e-3 * stats.model_ms;
        request.pieces = true;
        (void)snprintf(path, sizeof(path), "%s/pieces.f32", out);
        if (status == KOKORO_OK)
            status = speak(engine, &request, round == 0 ? path : NULL, &pieces, &stats, err);
        if (status != KOKORO_OK)
            return status;
        first_s[i] = 1e-3 * (stats.first_audio_ms - stats.g2p_ms);
        pieces_s[i] = 1e-3 * stats.model_ms;
    }
    (void)printf("{\"audio_s\": %.4f, \"whole_s\": %.5f, \"first_s\": %.5f, \"pieces_s\": %.5f, "
                 "\"seams\": [",
                 stats.audio_s, median(whole_s, n_rounds), median(first_s, n_rounds),
                 median(pieces_s, n_rounds));
    for (size_t i = 0; i < pieces.n_seams; i++)
        (void)printf("%s%zu", i > 0 ? ", " : "", pieces.seams[i]);
    (void)printf("]}\n");
    (void)fflush(stdout);
    return KOKORO_OK;
}

int main(int argc, char **argv)
{
    char line[LINE_SIZE], out[LINE_SIZE], voice[LINE_SIZE];
    kokoro_error err = {KOKORO_OK, ""};
    kokoro_options options;
    kokoro_engine *engine = NULL;
    const long n_rounds = argc == 7 ? strtol(argv[6], NULL, 10) : 0;
    if (n_rounds < 1 || n_rounds > MOST_ROUNDS) {
        (void)fprintf(stderr, "usage: piece_times MODEL VOICES LEXICON CACHE THREADS ROUNDS\n");
        return 2;
    }
    kokoro_options_init(&options);
    options.model_path = argv[1];
    options.voices_path = argv[2];
    options.lexicon_path = argv[3];
    options.cache_dir = argv[4];
    options.provider = "native";
    options.n_threads = (int)strtol(argv[5], NULL, 10);
    int status = kokoro_open(&engine, &options, &err);
    while (status == KOKORO_OK && fgets(line, sizeof(line), stdin) != NULL) {
        int at = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%s %s %n", out, voice, &at) != 2 || at == 0) {
            (void)snprintf(err.message, sizeof(err.message), "not OUT VOICE TEXT: %.100s", line);
            status = KOKORO_INVALID;
        } else {
            status = measure(engine, out, voice, line + at, (size_t)n_rounds, &err);
        }
    }
    if (status != KOKORO_OK)
        (void)fprintf(stderr, "piece_times: %s\n", err.message);
    kokoro_close(&engine);
    return status == KOKORO_OK ? 0 : 1;
}
