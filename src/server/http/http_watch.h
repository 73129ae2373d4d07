/*
 * http_watch.h - a thread that watches the sockets of the exchanges whose answer is still being
 * made, or is long. The library looks after none of the first: it suspends the connection; and of
 * the others it asks for a byte in idle_s. Here a client that leaves is seen at once, one that
 * takes too little is dropped after a time, and answers that this side writes itself go on when the
 * socket takes bytes again.
 */
#ifndef KK_SERVER_HTTP_WATCH_H
#define KK_SERVER_HTTP_WATCH_H

#include "server/http/http_exchange.h"

typedef struct kk_watch kk_watch;

/* NO_MEMORY, also when there is no descriptor or thread for it. */
int kk_watch_start(kk_watch **out, kokoro_error *err);
/* Nothing may be watched any more. Sets *watch to NULL. */
void kk_watch_stop(kk_watch **watch);

/* From here to kk_watch_remove, which must come before kk_exchange_close; both on the connection's
 * thread. One that writes its own answer is added before its worker begins. `is_whole`: its
 * answer is there, and is sent also to who shuts his sending side. One that cannot be watched is
 * taken as gone. */
void kk_watch_add(kk_watch *watch, kk_http_exchange *exchange, bool is_whole);
void kk_watch_remove(kk_http_exchange *exchange);
/* Take every client as gone. */
void kk_watch_lose_all(kk_watch *watch);

/* Under the exchange's lock: call kk_exchange_pump when the socket takes bytes, or no more. */
void kk_watch_want_room(kk_http_exchange *exchange, bool wants_it);

#endif
