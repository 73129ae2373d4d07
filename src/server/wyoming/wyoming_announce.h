/*
 * wyoming_announce.h - the port of the Wyoming protocol is told of to the local network as a
 * service "_wyoming._tcp" (DNS-SD over mDNS, RFC 6763 and 6762), so that Home Assistant finds it.
 * By the machine's own responder, avahi-daemon: where that is missing the server goes without, and
 * announces as soon as it comes.
 */
#ifndef KK_SERVER_WYOMING_ANNOUNCE_H
#define KK_SERVER_WYOMING_ANNOUNCE_H

#include "base/log.h"

typedef struct kk_announcement kk_announcement;

/* Announce a port on one network interface, or on all (0), from a thread of its own that uses
 * `log`. NO_MEMORY; that nothing can be announced is a warning. */
int kk_announcement_start(kk_announcement **out, int port, unsigned interface, const kk_log *log,
                          kokoro_error *err);
/* Tell that it is gone. A daemon that hangs and has not answered yet can hold this up for the 25 s
 * of a call over D-Bus. NULL is allowed, as in the next two. */
void kk_announcement_withdraw(kk_announcement *announcement);
/* Withdraw, and set *announcement to NULL. */
void kk_announcement_stop(kk_announcement **announcement);

enum { KK_ANNOUNCED_NAME_SIZE = 64 }; /* a label of the DNS has 63 bytes at most */

typedef struct kk_announcement_view {
    char name[KK_ANNOUNCED_NAME_SIZE]; /* "Kokoro on host"; "": it is not announced */
    char reason[256];                  /* why not */
} kk_announcement_view;
void kk_announcement_read(kk_announcement *announcement, kk_announcement_view *view);

#endif
