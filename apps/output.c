/*
 * output.c - samples to bytes to their place.
 *
 *     file     the encoder's bytes ..., the head once more as all samples are known, rename
 *     stream   the encoder's bytes; a WAV whose length is unknown is held back until it is known
 *     player   a WAV, with the streaming sentinel where the length is unknown
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include "output.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "doomed.h"
#include "player.h"
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { TO_FILE, TO_STREAM, TO_PLAYER };

struct kk_output {
    enum kind kind;
    const char *name; /* for messages; a player's is what is run */
    char *path;       /* owned; NULL for standard output and players */
    bool is_started, is_held;
    const kk_codec *codec;
    kk_encoding encoding;
    kk_encoder *encoder;
    kk_writer writer; /* TO_FILE; fd -1 once it is committed */
    int fd;           /* TO_STREAM, TO_PLAYER; -1: none */
    pid_t player;     /* 0: not running */
    kk_spool spool;   /* what is held back */
    int saved_errno;  /* of the first write that failed */
};

static kk_output *new_output(enum kind kind, const kk_codec *codec, const kk_encoding *encoding)
{
    kk_output *output = kk_calloc(1, sizeof(*output));
    if (output == NULL)
        return NULL;
    output->kind = kind;
    output->codec = codec;
    output->encoding = *encoding;
    output->writer.fd = -1;
    output->fd = -1;
    kk_spool_init(&output->spool);
    return output;
}

static int fail_open(kk_output **output, kokoro_error *err, int number)
{
    int status = kk_fail(err, number == ENOENT ? KOKORO_NOT_FOUND : KOKORO_IO,
                         "cannot write %s: %s", (*output)->name, strerror(number));
    kk_output_close(output);
    return status;
}

/* A file to be replaced is meant itself, not the link that leads to it. */
static int open_file(kk_output *output, kokoro_error *err)
{
    char *target = realpath(output->path, NULL);
    int status = kk_doomed_open(&output->writer, target != NULL ? target : output->path, err);
    free(target);
    return status;
}

int kk_output_open(kk_output **out, const char *path, const kk_codec *codec,
                   const kk_encoding *encoding, kokoro_error *err)
{
    struct stat st;
    bool is_standard = strcmp(path, "-") == 0;
    bool exists = !is_standard && stat(path, &st) == 0;
    bool is_stream = is_standard || (exists && !S_ISREG(st.st_mode));
    kk_output *output = new_output(is_stream ? TO_STREAM : TO_FILE, codec, encoding);
    *out = NULL;
    if (output == NULL)
        return kk_fail_memory(err);
    output->path = is_standard ? NULL : kk_strdup(path);
    output->name = is_standard ? "standard output" : output->path;
    if (!is_standard && output->path == NULL) {
        kk_output_close(&output);
        return kk_fail_memory(err);
    }
    if (exists && S_ISDIR(st.st_mode))
        return fail_open(&output, err, EISDIR);
    int status = KOKORO_OK;
    if (!is_stream)
        status = open_file(output, err);
    else if ((output->fd = is_standard ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC)) < 0)
        return fail_open(&output, err, errno);
    if (status != KOKORO_OK)
        kk_output_close(&output);
    *out = output;
    return status;
}

int kk_output_open_player(kk_output **out, const kk_encoding *encoding, kokoro_error *err)
{
    *out = NULL;
    const char *name = kk_player_find();
    if (name == NULL)
        return kk_fail(err, KOKORO_NOT_FOUND,
                       "nothing to play with: none of %s is in PATH; keep the sound with -o FILE",
                       kk_player_names());
    kk_output *output = new_output(TO_PLAYER, kk_codec_find("wav"), encoding);
    if (output == NULL)
        return kk_fail_memory(err);
    output->name = name;
    *out = output;
    return KOKORO_OK;
}

void kk_output_set_gain(kk_output *output, double gain_db)
{
    output->encoding.gain_db = gain_db;
}

static int put(kk_output *output, const void *data, size_t len)
{
    if (output->saved_errno != 0)
        return output->saved_errno;
    if (output->kind == TO_FILE) {
        kk_writer_write(&output->writer, data, len);
        output->saved_errno = output->writer.saved_errno;
    } else if (output->is_held) {
        output->saved_errno = kk_spool_add(&output->spool, data, len);
    } else {
        output->saved_errno = kk_write_all(output->fd, data, len);
    }
    return output->saved_errno;
}

static int sink(void *user, const void *data, size_t len)
{
    return put(user, data, len);
}

/* The error of the write behind `status`, if that is what went wrong. */
static int explain(const kk_output *output, int status, kokoro_error *err)
{
    if (output->saved_errno == 0)
        return status;
    if (output->kind == TO_PLAYER)
        return kk_fail(err, KOKORO_IO, "the player %s stopped before the end", output->name);
    return kk_fail(err, KOKORO_IO, "cannot write %s: %s", output->name,
                   strerror(output->saved_errno));
}

static int start(kk_output *output, uint64_t n_samples, kokoro_error *err)
{
    output->is_started = true;
    if (output->kind == TO_PLAYER) {
        int status = kk_player_start(output->name, &output->player, &output->fd, err);
        if (status != KOKORO_OK)
            return status;
    }
    output->is_held = output->kind == TO_STREAM && n_samples == KK_SAMPLES_UNKNOWN &&
                      strcmp(output->codec->name, "wav") == 0;
    int status = kk_encoder_open(&output->encoder, output->codec, &output->encoding, n_samples,
                                 sink, output, err);
    return explain(output, status, err);
}

int kk_output_write(kk_output *output, const float *samples, size_t n, uint64_t n_total,
                    kokoro_error *err)
{
    int status = KOKORO_OK;
    if (!output->is_started)
        status = start(output, n_total, err);
    if (status != KOKORO_OK)
        return status;
    return explain(output, kk_encoder_write(output->encoder, samples, n, err), err);
}

/* All samples are known now, and what the beginning says of them. */
static void settle_head(kk_output *output)
{
    unsigned char head[KK_HEAD_MAX];
    const size_t len = kk_encoder_head(output->encoder, head);
    if (output->kind == TO_FILE && len > 0) {
        kk_writer_rewrite(&output->writer, 0, head, len);
    } else if (output->is_held) {
        output->is_held = false;
        if (put(output, head, len) == 0)
            output->saved_errno = kk_spool_drain(&output->spool, len, output->fd);
    }
}

int kk_output_finish(kk_output *output, kokoro_error *err)
{
    int status = KOKORO_OK;
    if (!output->is_started)
        status = start(output, 0, err);
    if (status == KOKORO_OK)
        status = explain(output, kk_encoder_finish(output->encoder, err), err);
    if (status == KOKORO_OK)
        settle_head(output);
    status = explain(output, status, err);
    if (status == KOKORO_OK && output->kind == TO_FILE)
        status = kk_doomed_commit(&output->writer, err);
    if (status == KOKORO_OK && output->kind == TO_STREAM) {
        /* Some file systems tell of a full disk only now. */
        if (close(output->fd) != 0)
            output->saved_errno = errno;
        output->fd = -1;
        status = explain(output, status, err);
    }
    if (status == KOKORO_OK && output->player != 0) {
        pid_t player = output->player;
        (void)close(output->fd);
        output->fd = -1;
        output->player = 0;
        status = kk_player_wait(output->name, player, err);
    }
    return status;
}

void kk_output_close(kk_output **output_ptr)
{
    kk_output *output = *output_ptr;
    if (output == NULL)
        return;
    kk_encoder_close(&output->encoder);
    kk_doomed_abort(&output->writer);
    if (output->fd > STDERR_FILENO)
        (void)close(output->fd);
    if (output->player != 0)
        (void)kk_player_wait(output->name, output->player, NULL);
    kk_spool_fini(&output->spool);
    kk_free(output->path);
    kk_free(output);
    *output_ptr = NULL;
}
