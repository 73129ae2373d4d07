#define _GNU_SOURCE /* RTLD_NODELETE */
#include "model/openvino/ov_api.h"

#include "base/status.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] = "set KOKORO_OPENVINO_LIBRARY, or run: ./run setup --with openvino";

static int fill(kk_ov_api *api, const char *library, kokoro_error *err)
{
    void *symbol;
#define KK_X(type, name, arguments)                                                                \
    symbol = dlsym(api->library, #name);                                                           \
    if (symbol == NULL)                                                                            \
        return kk_fail(err, KOKORO_PROVIDER,                                                       \
                       "%s is not OpenVINO's C library, or is older than 2024.0: it has no %s",    \
                       library, #name);                                                            \
    memcpy(&api->name, &symbol, sizeof(symbol));
    KK_OV_API_MAP(KK_X)
#undef KK_X
    ov_version version = {NULL, NULL};
    int status = kk_ov_check(api, api->ov_get_openvino_version(&version), "OpenVINO", err);
    if (status != KOKORO_OK)
        return status;
    (void)snprintf(api->build, sizeof(api->build), "%s", version.build_number);
    (void)snprintf(api->version, sizeof(api->version), "%.*s", (int)strcspn(api->build, "-"),
                   api->build);
    api->ov_version_free(&version);
    return KOKORO_OK;
}

int kk_ov_api_open(kk_ov_api *api, const char *library, kokoro_error *err)
{
    memset(api, 0, sizeof(*api));
    if (library == NULL || library[0] == '\0')
        return kk_fail(err, KOKORO_PROVIDER, "no OpenVINO library: %s", HELP);
#if defined(__SANITIZE_ADDRESS__)
    /* oneTBB, its thread pool, looks for a helper with RTLD_DEEPBIND, at which this sanitizer ends
     * the process, unless told. */
    (void)setenv("TBB_ENABLE_SANITIZERS", "1", 0);
#endif
    /* It stays in memory once loaded: the threads of its pool end when they like, and must not find
     * their code gone. */
    api->library = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (api->library == NULL) {
        const char *reason = dlerror();
        return kk_fail(err, KOKORO_PROVIDER, "cannot load OpenVINO: %s (%s)",
                       reason != NULL ? reason : library, HELP);
    }
    int status = fill(api, library, err);
    if (status != KOKORO_OK)
        kk_ov_api_close(api);
    return status;
}

void kk_ov_api_close(kk_ov_api *api)
{
    if (api->library != NULL)
        (void)dlclose(api->library);
    memset(api, 0, sizeof(*api));
}

/* The runtime's messages are several lines, each behind where in its sources it was raised; one
 * line of at most size - 1 bytes comes of it. */
static void one_line(char *dst, size_t size, const char *src)
{
    size_t n = 0;
    for (; *src != '\0' && n + 1 < size; src++) {
        char c = *src == '\n' || *src == '\t' || *src == '\r' ? ' ' : *src;
        if (c != ' ' || (n > 0 && dst[n - 1] != ' '))
            dst[n++] = c;
    }
    while (n > 0 && dst[n - 1] == ' ')
        n--;
    dst[n] = '\0';
}

int kk_ov_check(const kk_ov_api *api, int ov_status, const char *what, kokoro_error *err)
{
    if (ov_status == OV_OK)
        return KOKORO_OK;
    char line[300];
    const char *message = api->ov_get_last_err_msg();
    one_line(line, sizeof(line), message != NULL ? message : api->ov_get_error_info(ov_status));
    if (message != NULL)
        api->ov_free(message);
    return kk_fail(err, KOKORO_PROVIDER, "%s: %s", what, line);
}
