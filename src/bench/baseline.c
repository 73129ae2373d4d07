/* baseline.c - the result that another is compared with: a run of the history or a file. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "bench/compare.h"
#include "bench/history.h"
#include "bench/result_json.h"

static int read_from_history(kk_bench_result *out, long long number, const char *home,
                             kokoro_error *err)
{
    kk_history *history = NULL;
    char *path = kk_path_join(home, KK_HOME_HISTORY);
    int status =
        path != NULL ? kk_history_open(&history, path, KK_HISTORY_READ, err) : kk_fail_memory(err);
    if (status == KOKORO_OK)
        status = kk_history_result(history, number, out, err);
    kk_history_close(&history);
    kk_free(path);
    return status;
}

int kk_baseline_read(kk_bench_result *out, const char *baseline, const char *home,
                     kokoro_error *err)
{
    kokoro_error why = {0};
    long long number;
    kk_bench_result_init(out);
    const int status = kk_parse_int(baseline, &number) ? read_from_history(out, number, home, &why)
                                                       : kk_result_read(out, baseline, &why);
    if (status == KOKORO_NOT_FOUND)
        return kk_fail(err, KOKORO_INVALID, "no baseline '%.100s': %s", baseline, why.message);
    if (status != KOKORO_OK)
        kk_error_set(err, status, "%s", why.message);
    return status;
}
