/* choice_record.c - what the record keeps of a result: the choice, and each way's time and sound.
 */
#include "bench/choice.h"

#include "bench/statistics.h"

#include <stdio.h>

static void add_result(kk_record *record, const kk_bench_result *result, const kk_bench_way *way)
{
    kk_summary summary;
    const kk_bench_quality *quality = &way->quality;
    if (way->failure != NULL || result->deciding_text >= result->n_texts ||
        kk_summarise(&way->timings[result->deciding_text].inference_s, &summary) != KOKORO_OK ||
        summary.n == 0 || record->n_results == KK_RECORD_MAX_RESULTS)
        return;
    const kk_record_result added = {.way = way->way,
                                    .seconds = summary.median,
                                    .quality_db = quality->is_reference ? 0.0
                                                  : quality->is_known   ? quality->log_mel_db
                                                                        : -1.0};
    size_t place = record->n_results++;
    for (; place > 0 && record->results[place - 1].seconds > added.seconds; place--)
        record->results[place] = record->results[place - 1];
    record->results[place] = added;
}

void kk_choice_record(const kk_bench_result *result, kk_record *out)
{
    const kk_bench_choice *choice = &result->choice;
    *out = (kk_record){.current = choice->before,
                       .measured_at_s = result->started_at_s,
                       .refreshed_at_s = result->started_at_s,
                       .is_over_quality = choice->is_over_quality,
                       .fingerprint = result->fingerprint};
    if (choice->recommended >= 0 && (size_t)choice->recommended < result->n_ways)
        out->recommended = result->ways[choice->recommended].way;
    (void)snprintf(out->mode, sizeof(out->mode), "%s", result->mode);
    (void)snprintf(out->reason, sizeof(out->reason), "%s", choice->reason);
    for (size_t i = 0; i < result->n_ways; i++)
        add_result(out, result, &result->ways[i]);
}
