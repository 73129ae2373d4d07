/*
 * speech_queue.h - who may speak now: every speech, whichever way it came in, waits in the one
 * queue of the server (jobs.h), of at most KOKORO_MAX_QUEUE. A whole text is a job; a text that
 * arrives while it is spoken is a guest, whose place is free for others while it waits for more.
 */
#ifndef KK_SERVER_SPEECH_QUEUE_H
#define KK_SERVER_SPEECH_QUEUE_H

#include "server/errors.h"

#include <stddef.h>
#include <stdint.h>

struct kk_server;

/* Whom a server refuses that ends may come again after so long: it may be there anew by then. */
enum { KK_SPEECH_STOPPING_S = 5 };

/* How many may wait. */
size_t kk_speech_queue_limit(struct kk_server *server);

/* How much sound a request will make, by the length of its text. */
double kk_speech_probable_s(const kokoro_request *request);

/* The error of who finds it full: 429, with the time after which there is room as it goes at
 * present. Its status. */
int kk_speech_queue_refuse(struct kk_server *server, kk_api_error *error);
/* 0, or that error when it is full now for one of that group: whose text is yet to come can know
 * before. */
int kk_speech_queue_check(struct kk_server *server, uint64_t group, kk_api_error *error);

/* What is left of KOKORO_TTFA_TARGET_MS, in seconds, to a request that came then (kk_now_s); a bit
 * also when it has passed. */
double kk_speech_due_s(struct kk_server *server, double arrived_s);

#endif
