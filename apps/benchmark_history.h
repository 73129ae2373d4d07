/* benchmark_history.h - what `kokoro benchmark` prints of earlier runs. Exit statuses are returned,
 * messages printed; the caller flushes standard output. */
#ifndef KK_APPS_BENCHMARK_HISTORY_H
#define KK_APPS_BENCHMARK_HISTORY_H

#include "apps.h"
#include "bench/compare.h"
#include "bench/history.h"

/* `--history [N]`: the last runs as a table or one JSON document; count NULL or "": 10. */
int kk_print_history(const kk_config *config, const char *count, bool json);

/* `--compare BASELINE`: a table, way by text. For JSON see bench/result_json.h. */
void kk_print_comparison(const kk_comparison *comparison, const char *baseline);

/* Lines about regressions and improvements against the last comparable runs. */
void kk_print_changes(const kk_history_view *view);

#endif
