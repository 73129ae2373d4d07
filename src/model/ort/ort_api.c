#include "model/ort/ort_api.h"

#include "base/status.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void any_function(void);

/* OrtApiBase of onnxruntime_c_api.h. */
typedef struct api_base {
    any_function *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} api_base;

/* "1.32.0" -> 32; an API of a 1.x runtime is called as x. */
static long minor_version(const char *version)
{
    const char *dot = strchr(version, '.');
    return dot != NULL ? strtol(dot + 1, NULL, 10) : 0;
}

static int fill(kk_ort_api *api, const char *library, kokoro_error *err)
{
    const api_base *(*get_base)(void);
    void *symbol = dlsym(api->library, "OrtGetApiBase");
    if (symbol == NULL)
        return kk_fail(err, KOKORO_PROVIDER,
                       "%s is not an ONNX Runtime library: it has no OrtGetApiBase", library);
    memcpy(&get_base, &symbol, sizeof(symbol));
    const api_base *base = get_base();
    (void)snprintf(api->version, sizeof(api->version), "%s", base->get_version());
    any_function *const *slots = base->get_api(KK_ORT_API_VERSION);
    if (slots == NULL)
        return kk_fail(err, KOKORO_PROVIDER,
                       "ONNX Runtime %s (%s) is too old: 1.%d or newer is needed", api->version,
                       library, KK_ORT_API_VERSION);
#define KK_X(type, name, slot, arguments) memcpy(&api->name, &slots[slot], sizeof(api->name));
    KK_ORT_API_MAP(KK_X)
#undef KK_X
    /* Asked only where it is there: of an older one the question would be a line on stderr. */
    if (minor_version(api->version) >= KK_ORT_PLACEMENT_VERSION)
        slots = base->get_api(KK_ORT_PLACEMENT_VERSION);
    else
        slots = NULL;
#define KK_X(type, name, slot, arguments)                                                          \
    if (slots != NULL)                                                                             \
        memcpy(&api->name, &slots[slot], sizeof(api->name));
    KK_ORT_PLACEMENT_MAP(KK_X)
#undef KK_X
    return KOKORO_OK;
}

int kk_ort_api_open(kk_ort_api *api, const char *library, kokoro_error *err)
{
    memset(api, 0, sizeof(*api));
    if (library == NULL || library[0] == '\0')
        return kk_fail(err, KOKORO_PROVIDER,
                       "no ONNX Runtime library: set KOKORO_ORT_LIBRARY, or run: ./run setup");
    /*
     * From 1.32 on the runtime makes a device id, a database in the user's cache and uploads usage
     * figures, unless this variable is set before it is loaded. A user who wants that sets it to 0.
     */
    (void)setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    api->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (api->library == NULL) {
        const char *reason = dlerror();
        return kk_fail(err, KOKORO_PROVIDER,
                       "cannot load ONNX Runtime: %s (set KOKORO_ORT_LIBRARY, or run: ./run setup)",
                       reason != NULL ? reason : library);
    }
    int status = fill(api, library, err);
    if (status != KOKORO_OK)
        kk_ort_api_close(api);
    return status;
}

void kk_ort_api_close(kk_ort_api *api)
{
    if (api->library != NULL)
        (void)dlclose(api->library);
    memset(api, 0, sizeof(*api));
}

int kk_ort_check(const kk_ort_api *api, OrtStatus *ort_status, const char *what, kokoro_error *err)
{
    if (ort_status == NULL)
        return KOKORO_OK;
    int status = kk_fail(err, KOKORO_PROVIDER, "%s: %s", what, api->GetErrorMessage(ort_status));
    api->ReleaseStatus(ort_status);
    return status;
}
