/*
 * engine_slot.c - the engine in use. A benchmark's result or a changed setting puts another in its
 * place while requests speak with the one before, so each is counted by its users.
 */
#include "server/server_state.h"

#include "base/alloc.h"

struct kk_engine_slot {
    kokoro_engine *engine;
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

bool kk_server_has_engine(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    bool has_engine = server->engines != NULL;
    (void)pthread_mutex_unlock(&server->mutex);
    return has_engine;
}

int kk_server_set_engine(kk_server *server, kokoro_engine *engine)
{
    kk_engine_slot *slot = kk_calloc(1, sizeof(*slot));
    if (slot == NULL)
        return KOKORO_NO_MEMORY;
    (void)pthread_mutex_lock(&server->mutex);
    kokoro_engine *before = server->engines != NULL ? server->engines->engine : NULL;
    *slot = (kk_engine_slot){engine, 1, server->engines};
    server->engines = slot;
    (void)pthread_mutex_unlock(&server->mutex);
    kk_server_give_engine(server, before);
    return KOKORO_OK;
}

void kk_server_close_engines(kk_server *server)
{
    while (server->engines != NULL)
        kk_server_give_engine(server, server->engines->engine);
}
