/*
 * doomed.c - the name of the unfinished file stands where a signal handler can read it; signals
 * wait while it changes.
 */
#include "doomed.h"

#include "base/status.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char doomed[PATH_MAX];

static const int fatal_signals[] = {SIGHUP, SIGINT, SIGTERM};

enum { N_SIGNALS = sizeof(fatal_signals) / sizeof(fatal_signals[0]) };

static void on_signal(int number)
{
    if (doomed[0] != '\0')
        (void)unlink(doomed);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* A signal that the parent ignores (nohup, a job in the background) stays ignored. */
static void catch_signals(void)
{
    for (size_t i = 0; i < N_SIGNALS; i++) {
        struct sigaction action;
        if (sigaction(fatal_signals[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL)
            continue;
        memset(&action, 0, sizeof(action));
        action.sa_handler = on_signal;
        (void)sigemptyset(&action.sa_mask);
        (void)sigaction(fatal_signals[i], &action, NULL);
    }
}

static void block(sigset_t *old)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < N_SIGNALS; i++)
        (void)sigaddset(&set, fatal_signals[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, old);
}

int kk_doomed_open(kk_writer *writer, const char *path, kokoro_error *err)
{
    sigset_t old;
    catch_signals();
    block(&old);
    int status = kk_writer_open(writer, path, err);
    if (status == KOKORO_OK && strlen(writer->temp_path) < sizeof(doomed))
        memcpy(doomed, writer->temp_path, strlen(writer->temp_path) + 1);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return status;
}

int kk_doomed_commit(kk_writer *writer, kokoro_error *err)
{
    sigset_t old;
    block(&old);
    int status = kk_writer_commit(writer, err);
    doomed[0] = '\0';
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return status;
}

void kk_doomed_abort(kk_writer *writer)
{
    if (writer->fd < 0)
        return;
    sigset_t old;
    block(&old);
    kk_writer_abort(writer);
    doomed[0] = '\0';
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}
