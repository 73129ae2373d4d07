/* Any bytes as a benchmark_results.json: refused, or read, and then written and read again without
 * a difference, and shown in every part of a report. */
#include "fuzz.h"

#include "bench/report_parts.h"
#include "bench/result_json.h"

#include <stdlib.h>
#include <string.h>

static void show(const kk_bench_result *result)
{
    static kk_report report;
    kk_buf out = KK_BUF_INIT;
    if (kk_report_init(&report, result, NULL, NULL) != KOKORO_OK)
        abort();
    kk_report_system(&out, &report);
    kk_report_results(&out, &report);
    kk_report_advice(&out, &report);
    kk_report_runs(&out, &report);
    kk_report_notes(&out, &report);
    kk_plot_timing(&out, &report);
    kk_plot_memory(&out, &report);
    if (out.failed || strstr(kk_buf_str(&out), "<script") != NULL)
        abort();
    kk_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kk_bench_result result, again;
    kk_buf text = KK_BUF_INIT, text_again = KK_BUF_INIT;
    if (kk_result_from_json(&result, (kk_slice){(const char *)data, size}, NULL) != KOKORO_OK)
        return 0;
    if (kk_result_to_json(&text, &result, NULL, NULL, NULL) != KOKORO_OK ||
        kk_result_from_json(&again, (kk_slice){text.data, text.len}, NULL) != KOKORO_OK ||
        kk_result_to_json(&text_again, &again, NULL, NULL, NULL) != KOKORO_OK ||
        strcmp(kk_buf_str(&text), kk_buf_str(&text_again)) != 0)
        abort();
    show(&result);
    kk_buf_fini(&text);
    kk_buf_fini(&text_again);
    kk_bench_result_fini(&result);
    kk_bench_result_fini(&again);
    return 0;
}
