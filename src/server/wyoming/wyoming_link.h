/*
 * wyoming_link.h - the socket of one connection of the Wyoming protocol: events in, events out.
 * Used by the connection's own thread alone. What comes while it does something else is kept, up to
 * one event of the largest size; then the client must wait.
 */
#ifndef KK_SERVER_WYOMING_LINK_H
#define KK_SERVER_WYOMING_LINK_H

#include "server/wyoming/wyoming.h"
#include "server/wyoming/wyoming_frame.h"

/* Sending waits for a client that has taken nothing for a moment; and goes on again. */
typedef void kk_wyoming_block_fn(void *user, bool is_blocked);

typedef struct kk_wyoming_link {
    const kk_wyoming_peer *peer;
    kk_wyoming_block_fn *on_block; /* NULL: nobody wants to know */
    void *on_block_user;
    kk_wyoming_reader reader;
    kk_buf out;
    double moved_s; /* kk_now_s: bytes went or came last */
    double begun_s; /* the event that comes in began; 0: none */
    bool is_gone;   /* the client closed its side, or the connection broke */
} kk_wyoming_link;

void kk_wyoming_link_init(kk_wyoming_link *link, const kk_wyoming_peer *peer);
void kk_wyoming_link_fini(kk_wyoming_link *link);

/* Take in what has come, without waiting. */
void kk_wyoming_link_pump(kk_wyoming_link *link);
/* Wait for more, at most so long; with `ends_at_drain` also until the server drains, which is told.
 */
bool kk_wyoming_link_wait(kk_wyoming_link *link, double timeout_s, bool ends_at_drain);
/* Gone, or cut by the server. */
bool kk_wyoming_link_is_over(kk_wyoming_link *link);
/* The same, or too slow: for where it is the client's turn to speak. */
bool kk_wyoming_link_is_late(kk_wyoming_link *link);

/* End this side, and drop what the client still sends until it has seen that and closes, 2 s at
 * most: to close on what was not read would take back what was sent. */
void kk_wyoming_link_finish(kk_wyoming_link *link);

/* Send an event, waiting as long as the client reads; false when it is gone. `data` is the text of
 * an object or "". */
bool kk_wyoming_link_send(kk_wyoming_link *link, const char *type, kk_slice data, kk_slice payload);
/* The same with an object, whose reference is taken. */
bool kk_wyoming_link_send_json(kk_wyoming_link *link, const char *type, json_t *data);

#endif
