/*
 * cache_rules.h - the clean-up of src/cache by the user's settings: limits, what the providers
 * would open, and what must not lie in a cache. For the endpoints and the command alike.
 */
#ifndef KK_SERVER_CACHE_RULES_H
#define KK_SERVER_CACHE_RULES_H

#include "base/arena.h"
#include "cache/cleanup.h"
#include "config/config.h"

typedef struct kk_cache_rules {
    kk_cleanup_rules rules; /* it points into this struct and into the settings */
    kk_cache_current current[8];
    const char *foreign[8];
    kk_arena arena;
} kk_cache_rules;

/*
 * Fill *out; it must not be moved, and the settings must outlive it. Without `asks_providers` the
 * runtimes are not asked, and of each kind of model the newest counts as needed. NO_MEMORY.
 */
int kk_cache_rules_init(kk_cache_rules *out, const kk_config *config, bool is_aggressive,
                        bool asks_providers, kokoro_error *err);
void kk_cache_rules_fini(kk_cache_rules *rules);

#endif
