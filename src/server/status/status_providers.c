/* status_providers.c - of GET /status: what could run the model, and what does. */
#include "server/status/status.h"

#include <string.h>

/* Names that a user of the other system asks for. */
json_t *kk_status_onnx_providers(const kk_status *s)
{
    json_t *names = json_array();
    size_t i;
    json_t *provider;
    json_array_foreach(kk_server_providers(s->server), i, provider)
    {
        const char *at = json_string_value(json_object_get(provider, "execution_providers"));
        if (!json_is_true(json_object_get(provider, "available")))
            continue;
        while (at != NULL && *at != '\0') {
            size_t len = strcspn(at, ",");
            kk_slice name = kk_slice_trim((kk_slice){at, len});
            (void)json_array_append_new(names, json_stringn(name.data, name.len));
            at += len + (at[len] == ',');
        }
    }
    return names;
}

json_t *kk_status_providers(const kk_status *s)
{
    json_t *providers = kk_server_providers(s->server);
    json_t *known = providers != NULL ? json_deep_copy(providers) : json_array();
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:o}", "asked_for",
                     kk_config_text(kk_server_config(s->server), KK_SET_PROVIDER), "used",
                     s->engine != NULL ? s->info.provider : "", "precision",
                     s->engine != NULL ? s->info.precision : "", "choice",
                     s->engine != NULL ? s->info.choice : "none", "choice_reason",
                     s->engine != NULL ? s->info.choice_reason : "", "threads",
                     s->engine != NULL ? s->info.n_threads : 0, "placement",
                     s->engine != NULL ? s->info.placement : "", "known", known);
}
