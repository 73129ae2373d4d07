/*
 * live.h - a running server follows what changes under it: the settings in .env, and the record of
 * the last benchmark, which may recommend another way to run the model. Both are looked at every
 * second, by their time and size.
 */
#ifndef KK_SERVER_LIVE_H
#define KK_SERVER_LIVE_H

#include "cache/record.h"
#include "config/config.h"

typedef struct kk_live kk_live;
struct kk_server;

/* NO_MEMORY. `first` outlives it. */
int kk_live_create(kk_live **out, const kk_config *first, kokoro_error *err);
void kk_live_destroy(kk_live **live);

/* Look, and act on what changed. One thread alone. */
void kk_live_tick(kk_live *live, struct kk_server *server);

/* Let the next look read the settings, whether .env has changed or not. The same thread. */
void kk_live_read_again(kk_live *live);

/* Settings as they are now. They stay readable for an hour after they have changed: take them
 * anew for each piece of work. */
const kk_config *kk_live_config(kk_live *live);

/*
 * Whether an engine that "auto" opened is not what it would open by the record as it is now (the
 * record need not be filled where the view's state is MISSING or DAMAGED): another way, or another
 * reason for the same one. One that was recommended and could not be opened is tried again.
 */
bool kk_live_choice_is_old(const kokoro_engine_info *now, const kk_record_view *view,
                           const kk_record *record, const kokoro_options *options);

#endif
