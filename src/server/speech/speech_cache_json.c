/* speech_cache_json.c - the cache of results in GET /status and GET /cache-status. */
#include "server/json.h"
#include "server/speech/speech_cache.h"

#include "server/cache/cache_report.h"

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *megabytes(uint64_t bytes)
{
    return kk_json_real(kk_cache_mb(bytes));
}

json_t *kk_speech_cache_json(const kk_speech_cache_view *view)
{
    const kk_results_view *m = &view->memory;
    const kk_results_disk_view *d = &view->disk;
    json_t *memory = json_pack("{s:o, s:o, s:o, s:o, s:o}", "entries", count(m->n_entries),
                               "size_mb", megabytes(m->bytes), "max_mb", megabytes(m->max_bytes),
                               "stored", count(m->n_stored), "evicted", count(m->n_evicted));
    json_t *disk = json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "enabled", view->has_disk, "entries",
        count(d->n_entries), "size_mb", megabytes(d->bytes), "max_mb", megabytes(d->max_bytes),
        "hits", count(d->n_hits), "stored", count(d->n_stored), "evicted", count(d->n_evicted),
        "damaged", count(d->n_damaged), "failed_writes", count(d->n_failed));
    return json_pack("{s:b, s:o, s:o, s:o}", "enabled", m->max_bytes > 0 || view->has_disk,
                     "memory", memory, "disk", disk, "waiting", count(view->n_waiting));
}
