/* status_benchmark.c - of GET /status: when the ways to run the model were last measured, and when
 * they will be again. */
#include "server/status.h"

/* Nothing measures by a schedule, so there is no last run. */
json_t *kk_status_benchmark(const kk_status *s)
{
    (void)s;
    return json_pack("{s:b, s:s, s:b, s:n, s:n}", "scheduler_active", 0, "frequency", "manually",
                     "skip_benchmarking", 1, "last_run", "results_file");
}
