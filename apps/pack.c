/*
 * pack.c - `kokoro pack`: what set-up does once, so that every start is quick.
 */
#include "cli.h"

#include "base/alloc.h"
#include "base/file.h"

#include <string.h>

/* The directory that `path` stands in. */
static int make_parent(const char *path, kokoro_error *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return KOKORO_OK;
    char *dir = kk_strndup(path, (size_t)(slash - path));
    if (dir == NULL) {
        *err = (kokoro_error){KOKORO_NO_MEMORY, "out of memory"};
        return KOKORO_NO_MEMORY;
    }
    int status = kk_make_dirs(dir, err);
    kk_free(dir);
    return status;
}

static int pack_file(const kk_app *app, enum kk_setting_id place,
                     int (*pack)(const char *dst_path, const char *src_dir, kokoro_error *err))
{
    kokoro_error error;
    if (app->n_words < 2 || app->n_words > 3) {
        kk_complain("pack %s takes a source directory and at most one destination", app->words[0]);
        return KK_EXIT_USAGE;
    }
    const char *dst = app->n_words == 3 ? app->words[2] : kk_config_text(&app->config, place);
    int status = make_parent(dst, &error);
    if (status == KOKORO_OK)
        status = pack(dst, app->words[1], &error);
    return status == KOKORO_OK ? KK_EXIT_OK : kk_complain_of(&error);
}

static int pack_model(const kk_app *app)
{
    kokoro_options options;
    kokoro_engine *engine = NULL;
    kokoro_error error;
    if (app->n_words > 1) {
        kk_complain("pack model takes no argument '%.40s'", app->words[1]);
        return KK_EXIT_USAGE;
    }
    kk_app_engine_options(&app->config, &options);
    if (kokoro_open(&engine, &options, &error) != KOKORO_OK)
        return kk_complain_of_set_up(&error);
    kokoro_close(&engine);
    return KK_EXIT_OK;
}

int kk_app_pack(kk_app *app)
{
    const char *what = app->n_words > 0 ? app->words[0] : "";
    if (strcmp(what, "voices") == 0)
        return pack_file(app, KK_SET_VOICES, kokoro_pack_voices);
    if (strcmp(what, "lexicon") == 0)
        return pack_file(app, KK_SET_LEXICON, kokoro_pack_lexicon);
    if (strcmp(what, "model") == 0)
        return pack_model(app);
    if (what[0] != '\0')
        kk_complain("cannot pack '%.40s'; it must be voices, lexicon or model", what);
    else
        kk_complain("pack needs one of voices, lexicon and model");
    return KK_EXIT_USAGE;
}
