/* status_patches.c - of GET /status: the measures taken for other programs' sake. */
#include "server/status.h"

json_t *kk_status_patches(const kk_status *s)
{
    (void)s;
    return json_pack("{s:b, s:n, s:[], s:i}", "applied", 0, "application_time", "patch_errors",
                     "original_functions_stored", 0);
}
