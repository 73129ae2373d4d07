/* Any bytes as a file of keys, as lists of proxies and origins, and as the headers of a proxy. */
#include "fuzz.h"

#include "server/http/forward.h"
#include "server/http/keys.h"
#include "server/http/origin.h"

#include <stdlib.h>
#include <string.h>

static void try_keys(const char *text, size_t len)
{
    kk_keys keys, again;
    kokoro_error error = {.message = ""};
    if (kk_keys_parse(&keys, (kk_slice){text, len}, &error) != KOKORO_OK) {
        if (error.message[0] == '\0' || keys.items != NULL)
            abort();
        return;
    }
    kk_buf written = KK_BUF_INIT;
    for (size_t i = 0; i < keys.n; i++)
        kk_key_write(&written, &keys.items[i]);
    if (kk_keys_parse(&again, (kk_slice){kk_buf_str(&written), written.len}, NULL) != KOKORO_OK ||
        again.n != keys.n)
        abort();
    (void)kk_keys_find(&keys, (kk_slice){text, len});
    kk_keys_fini(&keys);
    kk_keys_fini(&again);
    kk_buf_fini(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char client[KK_ADDRESS_LEN];
    kk_proxies proxies;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    try_keys(text, size);
    if (kk_proxies_parse(&proxies, text, NULL) == KOKORO_OK)
        (void)kk_proxies_have(&proxies, "10.1.2.3");
    if (kk_origins_check(text, NULL) == KOKORO_OK)
        (void)kk_origins_have(text, "https://example.org");
    (void)kk_origins_have("https://example.org http://localhost:1", text);
    if (kk_proxies_parse(&proxies, "10.0.0.0/8 ::1", NULL) != KOKORO_OK)
        abort();
    kk_forwarded_client(&proxies, "10.0.0.1", text, NULL, client);
    kk_forwarded_client(&proxies, "10.0.0.1", NULL, text, client);
    kk_forwarded_client(&proxies, "10.0.0.1", text, text, client);
    kk_forwarded_client(&proxies, "192.0.2.1", text, text, client);
    if (strcmp(client, "192.0.2.1") != 0)
        abort();
    free(text);
    return 0;
}
