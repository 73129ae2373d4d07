/* avahi.c - libavahi-client.so.3 and its functions. */
#include "server/wyoming/avahi.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* A function's address out of dlsym, which C has no conversion for. */
static bool look_up(void *handle, const char *name, void *function)
{
    void *address = dlsym(handle, name);
    memcpy(function, &address, sizeof(address));
    return address != NULL;
}

/* libavahi-common comes with it. They stay in the process (NODELETE): libdbus below them keeps
 * memory to the end. */
bool kk_avahi_load(kk_avahi *avahi)
{
    void *handle = dlopen("libavahi-client.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    bool is_whole = handle != NULL;
    if (!is_whole)
        return false;
#define KK_X(result, name, args)                                                                   \
    is_whole = is_whole && look_up(handle, "avahi_" #name, &avahi->name);
    KK_AVAHI_FUNCTIONS(KK_X)
#undef KK_X
    (void)dlclose(handle);
    return is_whole;
}
