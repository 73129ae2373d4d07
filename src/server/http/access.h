/*
 * access.h - who may ask for what: keys and their limits, pages of other sites, and the true
 * address of a client behind a proxy. All can change while the server runs (SIGHUP).
 */
#ifndef KK_SERVER_ACCESS_H
#define KK_SERVER_ACCESS_H

#include "base/log.h"
#include "config/config.h"
#include "server/http/http.h"

typedef struct kk_access kk_access;

/* By KOKORO_API_KEYS_FILE, KOKORO_ALLOW_ORIGINS, KOKORO_TRUSTED_PROXIES. A file that cannot be read
 * is an error, not an open door: NOT_FOUND, IO, INVALID, NO_MEMORY. */
int kk_access_create(kk_access **out, const kk_config *config, kokoro_error *err);
void kk_access_destroy(kk_access **access);
/* The same anew; where that fails all stays as it was. Says in the log what changed. */
void kk_access_reload(kk_access *access, const kk_config *config, const kk_log *log);

bool kk_access_has_keys(kk_access *access);

/* Of a request whose headers are there: its client, key and group, and whether its page may read
 * the answer. */
void kk_access_identify(kk_access *access, kk_http_request *request);

/* May the request's key begin one more piece of work, or have so many characters spoken? 0, or the
 * seconds after which it may; *has_all_streams: because as many answers are in the making as may be
 * at once, and when one of them ends nobody knows. Without a key always. One that may begin is
 * ended by kk_access_end. */
unsigned kk_access_begin(kk_access *access, kk_http_request *request, bool *has_all_streams);
unsigned kk_access_take_chars(kk_access *access, const kk_http_request *request, size_t n_chars);
/* Of a text that arrives while it is spoken: they count, however many are left. */
void kk_access_add_chars(kk_access *access, const kk_http_request *request, size_t n_chars);
void kk_access_end(kk_access *access, const kk_http_request *request);

#endif
