/*
 * engine_slot.c - the engine in use. A benchmark's result or a changed setting puts another in its
 * place while requests speak with the one before, so each is counted by its users. When nobody has
 * spoken for long it is closed, and opened again by the next who speaks.
 */
#include "server/server_state.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "server/speech/speech_key.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

struct kk_engine_slot {
    kokoro_engine *engine;
    uint64_t identity;
    size_t n_users; /* with one for being in use */
    kk_engine_slot *next;
};

kokoro_engine *kk_server_take_engine(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    kk_engine_slot *slot = server->engines;
    kokoro_engine *engine = slot != NULL ? slot->engine : NULL;
    if (slot != NULL)
        slot->n_users++;
    (void)pthread_mutex_unlock(&server->mutex);
    return engine;
}

/* Closing takes a while, so it is not done under the mutex. */
void kk_server_give_engine(kk_server *server, kokoro_engine *engine)
{
    kk_engine_slot *unused = NULL;
    if (engine == NULL)
        return;
    (void)pthread_mutex_lock(&server->mutex);
    kk_engine_slot **link = &server->engines;
    while ((*link)->engine != engine)
        link = &(*link)->next;
    if (--(*link)->n_users == 0) {
        unused = *link;
        *link = unused->next;
    }
    (void)pthread_mutex_unlock(&server->mutex);
    if (unused != NULL) {
        kokoro_close(&unused->engine);
        kk_free(unused);
    }
}

bool kk_server_is_ready(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    bool is_ready = server->engines != NULL || server->reload.is_unloaded;
    (void)pthread_mutex_unlock(&server->mutex);
    return is_ready;
}

uint64_t kk_server_identity(kk_server *server, const kokoro_engine *engine)
{
    (void)pthread_mutex_lock(&server->mutex);
    uint64_t identity = engine == NULL ? server->reload.identity : 0;
    for (const kk_engine_slot *slot = server->engines; slot != NULL; slot = slot->next) {
        if (slot->engine == engine)
            identity = slot->identity;
    }
    (void)pthread_mutex_unlock(&server->mutex);
    return identity;
}

int kk_server_set_engine(kk_server *server, kokoro_engine *engine)
{
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    kk_engine_slot *slot = kk_calloc(1, sizeof(*slot));
    if (slot == NULL)
        return KOKORO_NO_MEMORY;
    kokoro_get_engine_info(engine, &info);
    const uint64_t identity = kk_speech_identity(&info, kk_server_config(server));
    (void)pthread_mutex_lock(&server->mutex);
    kokoro_engine *before = server->engines != NULL ? server->engines->engine : NULL;
    *slot = (kk_engine_slot){engine, identity, 1, server->engines};
    server->engines = slot;
    server->reload.identity = identity;
    server->reload.is_unloaded = false;
    server->reload.loaded_at_s = kk_now_s();
    (void)pthread_mutex_unlock(&server->mutex);
    kk_server_give_engine(server, before);
    return KOKORO_OK;
}

/* --- unloading --- */

void kk_server_reload_view(kk_server *server, kk_reload *out)
{
    (void)pthread_mutex_lock(&server->mutex);
    *out = server->reload;
    (void)pthread_mutex_unlock(&server->mutex);
}

bool kk_server_unload(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    kk_engine_slot *slot = server->engines;
    const bool is_free = slot != NULL && slot->n_users == 1 && slot->next == NULL;
    if (is_free) {
        server->engines = NULL;
        server->reload.is_unloaded = true;
        server->reload.n_unloads++;
    }
    (void)pthread_mutex_unlock(&server->mutex);
    if (!is_free)
        return false;
    kokoro_close(&slot->engine);
    kk_free(slot);
#if defined(__GLIBC__)
    (void)malloc_trim(0);
#endif
    return true;
}

/* Under the lock of loads: what those who wait for it get too. */
static void load_again(kk_server *server)
{
    kokoro_error err = {.status = KOKORO_OK};
    kokoro_engine *engine = NULL;
    const double start_s = kk_now_s();
    int status = kk_server_open(server, &engine, &err);
    if (status == KOKORO_OK && kk_server_set_engine(server, engine) != KOKORO_OK) {
        status = kk_fail_memory(&err);
        kokoro_close(&engine);
    }
    const double took_s = kk_now_s() - start_s;
    (void)pthread_mutex_lock(&server->mutex);
    server->reload.n_loads++;
    server->reload.n_failed += status != KOKORO_OK;
    server->reload.took_s = took_s;
    server->reload.error = err;
    (void)pthread_mutex_unlock(&server->mutex);
    if (status == KOKORO_OK)
        kk_log_write(&server->log, KOKORO_LOG_INFO, "the model was loaded again in %.0f ms",
                     1e3 * took_s);
    else
        kk_log_write(&server->log, KOKORO_LOG_ERROR, "the model cannot be loaded again: %s",
                     err.message);
}

kokoro_engine *kk_server_need_engine(kk_server *server, kokoro_error *err)
{
    kk_reload before, now;
    kokoro_engine *engine = kk_server_take_engine(server);
    if (engine != NULL)
        return engine;
    kk_server_reload_view(server, &before);
    (void)pthread_mutex_lock(&server->load_mutex);
    engine = kk_server_take_engine(server);
    kk_server_reload_view(server, &now);
    /* Who waited for a load that failed does not try again at once. */
    if (engine == NULL && now.n_loads == before.n_loads) {
        load_again(server);
        engine = kk_server_take_engine(server);
        kk_server_reload_view(server, &now);
    }
    (void)pthread_mutex_unlock(&server->load_mutex);
    if (engine == NULL)
        (void)kk_fail(err, KOKORO_BAD_MODEL, "the model cannot be loaded again: %.400s",
                      now.error.message);
    return engine;
}

void kk_server_close_engines(kk_server *server)
{
    while (server->engines != NULL)
        kk_server_give_engine(server, server->engines->engine);
}
