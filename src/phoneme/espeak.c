#include "phoneme/espeak.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/spawn.h"
#include "base/status.h"
#include "phoneme/espeak_map.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_MS = 2000, /* espeak-ng needs about 1 ms a word */
    FAILURES_MAX = 3, /* in a row, before a pause */
    CACHE_SIZE = 1024,
    ANSWER_MAX = 16384 /* bytes */
};

static const double pause_s = 10.0;

typedef struct cached {
    char *question; /* "en-us\tword" */
    char *answer;   /* raw IPA */
} cached;

struct kk_espeak {
    char *program; /* NULL: none */
    const kk_log *log;
    pthread_mutex_t mutex;
    pid_t pid; /* 0: not running */
    int fd;    /* -1: not running */
    int n_failures;
    double failed_s; /* when it last failed */
    bool was_started;
    cached cache[CACHE_SIZE];
    atomic_ullong n_words, n_restarts;
};

int kk_espeak_open(kk_espeak **out, const char *program, const kk_log *log, kokoro_error *err)
{
    *out = NULL;
    kk_espeak *espeak = kk_calloc(1, sizeof(*espeak));
    if (espeak == NULL)
        return kk_fail_memory(err);
    espeak->fd = -1;
    espeak->log = log;
    bool has_program = program != NULL && program[0] != '\0';
    espeak->program = has_program ? kk_strdup(program) : NULL;
    if ((has_program && espeak->program == NULL) || pthread_mutex_init(&espeak->mutex, NULL) != 0) {
        kk_free(espeak->program);
        kk_free(espeak);
        return kk_fail_memory(err);
    }
    *out = espeak;
    return KOKORO_OK;
}

static void sleep_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* End the helper: it leaves by itself when its input closes; if it hangs it is killed. */
static void stop(kk_espeak *espeak, bool at_once)
{
    if (espeak->fd >= 0)
        (void)close(espeak->fd);
    espeak->fd = -1;
    if (espeak->pid == 0)
        return;
    for (int waited_ms = 0; !at_once && waited_ms < 500; waited_ms += 5) {
        pid_t done = waitpid(espeak->pid, NULL, WNOHANG);
        if (done == espeak->pid || (done < 0 && errno != EINTR)) {
            espeak->pid = 0;
            return;
        }
        sleep_ms(5);
    }
    (void)kill(espeak->pid, SIGKILL);
    while (waitpid(espeak->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    espeak->pid = 0;
}

void kk_espeak_close(kk_espeak **espeak_ptr)
{
    kk_espeak *espeak = *espeak_ptr;
    if (espeak == NULL)
        return;
    stop(espeak, false);
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        kk_free(espeak->cache[i].question);
        kk_free(espeak->cache[i].answer);
    }
    (void)pthread_mutex_destroy(&espeak->mutex);
    kk_free(espeak->program);
    kk_free(espeak);
    *espeak_ptr = NULL;
}

static bool start(kk_espeak *espeak)
{
    int pair[2];
    if (espeak->program == NULL)
        return false;
    if (espeak->n_failures >= FAILURES_MAX && kk_now_s() - espeak->failed_s < pause_s)
        return false;
        /* Close-on-exec from birth where that exists: another thread may start a program meanwhile.
         */
#ifdef SOCK_CLOEXEC
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
#else
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return false;
    (void)fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(pair[1], F_SETFD, FD_CLOEXEC);
#endif
    /* A process group of its own: Ctrl-C at the terminal ends the program, which then ends its
     * helper. */
    const char *const arguments[] = {espeak->program, NULL};
    const kk_spawn spawn = {.program = espeak->program,
                            .arguments = arguments,
                            .fds = {pair[1], pair[1], KK_SPAWN_KEEP, KK_SPAWN_KEEP},
                            .own_group = true};
    pid_t pid = 0;
    const int number = kk_spawn_start(&pid, &spawn);
    (void)close(pair[1]);
    if (number != 0) {
        (void)close(pair[0]);
        kk_log_write(espeak->log, KOKORO_LOG_WARNING,
                     "cannot start the pronunciation helper %s: %s", espeak->program,
                     strerror(number));
        /* What cannot be started now will not be at the next word either: wait at once. */
        espeak->n_failures = FAILURES_MAX;
        espeak->failed_s = kk_now_s();
        return false;
    }
    if (espeak->was_started)
        atomic_fetch_add(&espeak->n_restarts, 1);
    espeak->was_started = true;
    espeak->pid = pid;
    espeak->fd = pair[0];
    return true;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* One line, without its end, onto *answer; false when the helper died, kept silent or talked too
 * much. */
static bool receive_line(int fd, kk_buf *answer)
{
    double until_s = kk_now_s() + ANSWER_MS / 1e3;
    while (answer->len < ANSWER_MAX && !answer->failed) {
        double left_s = until_s - kk_now_s();
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int ready = left_s > 0 ? poll(&poll_fd, 1, (int)(left_s * 1e3) + 1) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        char block[1024];
        ssize_t n = recv(fd, block, sizeof(block), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        kk_buf_append(answer, block, (size_t)n);
        const char *end = answer->failed ? NULL : memchr(answer->data, '\n', answer->len);
        if (end != NULL) {
            answer->len = (size_t)(end - answer->data);
            return true;
        }
    }
    return false;
}

/* Whether the helper waits for a question. One that has spoken unasked, or is gone, is out of step:
 * its next line would be taken for the answer to another word. */
static bool is_waiting(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 0;
}

/* Ask; a helper that fails once is started again and asked once more. */
static bool ask(kk_espeak *espeak, const kk_buf *question, kk_buf *answer)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        if (espeak->fd >= 0 && !is_waiting(espeak->fd))
            stop(espeak, true);
        if (espeak->fd < 0 && !start(espeak))
            break;
        kk_buf_clear(answer);
        if (send_all(espeak->fd, question->data, question->len) &&
            receive_line(espeak->fd, answer)) {
            espeak->n_failures = 0;
            return true;
        }
        stop(espeak, true);
        espeak->n_failures++;
        espeak->failed_s = kk_now_s();
        kk_log_write(espeak->log, KOKORO_LOG_WARNING,
                     "the pronunciation helper %s died or did not answer", espeak->program);
    }
    return false;
}

static void remember(cached *slot, const kk_buf *question, const kk_buf *answer)
{
    char *key = kk_strndup(question->data, question->len),
         *value = kk_strndup(answer->data, answer->len);
    if (key == NULL || value == NULL) { /* a cache may forget */
        kk_free(key);
        kk_free(value);
        return;
    }
    kk_free(slot->question);
    kk_free(slot->answer);
    *slot = (cached){key, value};
}

int kk_espeak_word(kk_espeak *espeak, kk_arena *arena, kk_slice word, enum kk_language language,
                   const char **out)
{
    kk_buf question = KK_BUF_INIT, answer = KK_BUF_INIT;
    bool failed = false;
    *out = NULL;
    kk_buf_appendf(&question, "%s\t", kk_language_code(language));
    for (size_t i = 0; i < word.len; i++) /* a line break would end the question */
        kk_buf_append_char(&question, (unsigned char)word.data[i] < ' ' ? ' ' : word.data[i]);
    kk_buf_append_char(&question, '\n');
    if (!question.failed) {
        (void)pthread_mutex_lock(&espeak->mutex);
        cached *slot = &espeak->cache[kk_hash(question.data, question.len) % CACHE_SIZE];
        bool is_known = slot->question != NULL && strcmp(slot->question, question.data) == 0;
        if (is_known)
            kk_buf_append_str(&answer, slot->answer);
        else if (ask(espeak, &question, &answer) && answer.data != NULL) {
            answer.data[answer.len] = '\0';
            remember(slot, &question, &answer);
            is_known = true;
        }
        (void)pthread_mutex_unlock(&espeak->mutex);
        if (is_known && !answer.failed) {
            atomic_fetch_add(&espeak->n_words, 1);
            *out = kk_espeak_map(arena, (kk_slice){kk_buf_str(&answer), answer.len}, language);
            failed = *out == NULL;
        }
    }
    failed = failed || question.failed || answer.failed;
    kk_buf_fini(&question);
    kk_buf_fini(&answer);
    if (*out != NULL && (*out)[0] == '\0')
        *out = NULL;
    return failed ? KOKORO_NO_MEMORY : KOKORO_OK;
}

void kk_espeak_get_counts(const kk_espeak *espeak, kk_phonemizer_counts *out)
{
    out->espeak_words = atomic_load(&espeak->n_words);
    out->espeak_restarts = atomic_load(&espeak->n_restarts);
}

bool kk_espeak_has_program(const kk_espeak *espeak)
{
    return espeak->program != NULL && espeak->program[0] != '\0';
}
