/* whole_run.c - see whole_run.h. */
#include "bench/whole_run.h"

#include "base/alloc.h"
#include "base/spawn.h"

/* For the settings that come from the environment or .env; those by option are left out below. */
static const char *const set_aside[] = {"KOKORO_PROVIDER=auto", "KOKORO_PRECISION=auto"};

/* The address is no part of a measurement. */
static const enum kk_setting_id left_out[] = {KK_SET_PROVIDER, KK_SET_PRECISION, KK_SET_HOST,
                                              KK_SET_PORT};

int kk_whole_run_init(kk_whole_run *run, const kk_config *config, const char *const *words)
{
    size_t n = 0;
    *run =
        (kk_whole_run){.arguments = {"kokoro", "benchmark", "--inherited"}, .arena = KK_ARENA_INIT};
    for (n = 3; n < 3 + KK_WHOLE_RUN_WORDS && *words != NULL; n++)
        run->arguments[n] = *words++;
    run->environment = kk_spawn_environment(set_aside, sizeof(set_aside) / sizeof(set_aside[0]));
    if (run->environment == NULL)
        return KOKORO_NO_MEMORY;
    return kk_config_arguments(config, left_out, sizeof(left_out) / sizeof(left_out[0]),
                               &run->arena, run->arguments, &n);
}

void kk_whole_run_fini(kk_whole_run *run)
{
    kk_free(run->environment);
    kk_arena_fini(&run->arena);
    *run = (kk_whole_run){.arena = KK_ARENA_INIT};
}
