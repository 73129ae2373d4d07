/* player.h - a program of the system that plays a WAV from its standard input. */
#ifndef KK_APPS_PLAYER_H
#define KK_APPS_PLAYER_H

#include "kokoro/kokoro.h"

#include <sys/types.h>

/* Name of the first player in PATH; NULL for none. */
const char *kk_player_find(void);
/* "pw-play, aplay, ffplay" */
const char *kk_player_names(void);

/* Start it: *fd is the writing end of its standard input. IO. */
int kk_player_start(const char *name, pid_t *pid, int *fd, kokoro_error *err);
/* Wait for its end. IO when it failed. */
int kk_player_wait(const char *name, pid_t pid, kokoro_error *err);

#endif
