/*
 * bare_server.h - what each part of the server needs around it, without a server: settings, as they
 * were set in *config, their watch, and the metrics.
 */
#ifndef KK_TESTS_BARE_SERVER_H
#define KK_TESTS_BARE_SERVER_H

#include "check.h"
#include "server/json.h"
#include "server/live.h"
#include "server/server_state.h"

/* Behind kk_config_init and what else is set. */
static inline void bare_server_start(kk_server *server, kk_config *config)
{
    const kk_metrics_options metrics = {.rtf = 1.0, .efficiency = 0.9};
    kk_json_use_kk_alloc();
    CHECK_INT(kk_config_load(config, NULL, NULL, NULL, NULL), KOKORO_OK);
    server->options.config = config;
    CHECK_INT(pthread_mutex_init(&server->mutex, NULL), 0);
    server->metrics = kk_metrics_create(&metrics);
    CHECK(server->metrics != NULL);
    CHECK_INT(kk_live_create(&server->live, config, NULL), KOKORO_OK);
}

static inline void bare_server_stop(kk_server *server, kk_config *config)
{
    kk_live_destroy(&server->live);
    kk_metrics_destroy(&server->metrics);
    (void)pthread_mutex_destroy(&server->mutex);
    memset(server, 0, sizeof(*server));
    kk_config_fini(config);
}

#endif
