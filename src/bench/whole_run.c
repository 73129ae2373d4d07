/* whole_run.c - see whole_run.h. */
#include "bench/whole_run.h"

#include "base/alloc.h"
#include "base/spawn.h"
#include "base/str.h"

/* The address is no part of a measurement. */
static const enum kk_setting_id left_out[] = {KK_SET_PROVIDER, KK_SET_PRECISION, KK_SET_HOST,
                                              KK_SET_PORT};

/* "NAME=value" of what the parent's .env set, which the child does not read; and no choice. */
static int fill_assignments(kk_whole_run *run, const kk_config *config, const char **assignments,
                            size_t *n)
{
    assignments[(*n)++] = "KOKORO_PROVIDER=auto";
    assignments[(*n)++] = "KOKORO_PRECISION=auto";
    for (int id = 0; id < KK_N_SETTINGS; id++) {
        if (config->origin[id] != KK_FROM_DOTENV || id == KK_SET_PROVIDER || id == KK_SET_PRECISION)
            continue;
        kk_buf text = KK_BUF_INIT;
        kk_buf_appendf(&text, "%s=%s", kk_settings[id].variable, config->value[id]);
        const char *copy = text.failed ? NULL : kk_arena_strdup(&run->arena, kk_buf_str(&text));
        kk_buf_fini(&text);
        if (copy == NULL)
            return KOKORO_NO_MEMORY;
        assignments[(*n)++] = copy;
    }
    return KOKORO_OK;
}

int kk_whole_run_init(kk_whole_run *run, const kk_config *config, const char *const *words)
{
    const char *assignments[2 + KK_N_SETTINGS];
    size_t n_assignments = 0, n = 3;
    *run =
        (kk_whole_run){.arguments = {"kokoro", "benchmark", "--inherited"}, .arena = KK_ARENA_INIT};
    for (; n < 3 + KK_WHOLE_RUN_WORDS && *words != NULL; n++)
        run->arguments[n] = *words++;
    int status = fill_assignments(run, config, assignments, &n_assignments);
    if (status != KOKORO_OK)
        return status;
    run->environment = kk_spawn_environment(assignments, n_assignments);
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
