#include "server/cache/cache_report.h"

#include "server/json.h"

#include <math.h>
#include <stdio.h>

double kk_cache_mb(uint64_t bytes)
{
    return (double)bytes / 1048576.0;
}

static json_t *count(size_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *megabytes(uint64_t bytes)
{
    return kk_json_real(kk_cache_mb(bytes));
}

static json_t *two_places(uint64_t bytes)
{
    return json_real(round(kk_cache_mb(bytes) * 100.0) / 100.0);
}

/* Bytes of a path that are no printable text must not make the whole answer impossible. */
static json_t *path_string(const char *path)
{
    json_t *text = json_string(path);
    char shown[PATH_MAX];
    if (text != NULL)
        return text;
    size_t n = 0;
    for (; path[n] != '\0' && n + 1 < sizeof(shown); n++)
        shown[n] = path[n] >= 0x20 && path[n] < 0x7f ? path[n] : '?';
    shown[n] = '\0';
    return json_string(shown);
}

static json_t *problem_list(const kk_problems *problems)
{
    json_t *list = json_array();
    for (size_t i = 0; i < problems->n; i++)
        (void)json_array_append_new(list, json_string(problems->text[i]));
    if (problems->n_more > 0) {
        char more[64];
        (void)snprintf(more, sizeof(more), "and %zu more", problems->n_more);
        (void)json_array_append_new(list, json_string(more));
    }
    return list;
}

static json_t *kinds_object(const kk_amount kinds[KK_N_KINDS])
{
    json_t *object = json_object();
    for (int i = 0; i < KK_N_KINDS; i++)
        (void)json_object_set_new(object, kk_kind_keys[i],
                                  json_pack("{s:o, s:o}", "size_mb", megabytes(kinds[i].bytes),
                                            "files", count(kinds[i].n_files)));
    return object;
}

static json_t *preserved_object(const kk_amount *preserved)
{
    return json_pack("{s:o, s:o}", "files", count(preserved->n_files), "mb",
                     megabytes(preserved->bytes));
}

json_t *kk_cache_statistics_json(const kk_cache_statistics *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "total_size_mb",
                     two_places(s->all.bytes), "file_count", count(s->all.n_files), "dir_count",
                     count(s->n_dirs), "temp_dirs", count(s->n_temp_dirs), "cache_path",
                     path_string(s->path), "needs_cleanup", s->needs_cleanup, "oldest_file_hours",
                     kk_json_real(s->oldest_age_s / 3600.0), "newest_file_hours",
                     kk_json_real(s->newest_age_s / 3600.0));
}

json_t *kk_cache_advice_json(const kk_cache_statistics *s)
{
    return json_pack("{s:b, s:o, s:o, s:s}", "needs_cleanup", s->needs_cleanup, "size_mb",
                     two_places(s->all.bytes), "temp_dirs", count(s->n_temp_dirs),
                     "recommended_action", s->needs_cleanup ? "cleanup" : "none");
}

void kk_cache_add_details(json_t *object, const kk_cache_statistics *s, const char *patterns)
{
    json_t *limits =
        json_pack("{s:o, s:o, s:o, s:o}", "max_mb", megabytes(s->max_bytes), "max_temp_dirs",
                  count(s->max_temp_dirs), "max_age_hours", kk_json_real(s->max_age_s / 3600.0),
                  "patterns", path_string(patterns));
    (void)json_object_set_new(object, "kinds", kinds_object(s->kinds));
    (void)json_object_set_new(object, "preserved", preserved_object(&s->preserved));
    (void)json_object_set_new(object, "limits", limits);
    (void)json_object_set_new(object, "errors", problem_list(&s->problems));
}

static json_t *policies_object(const kk_cleanup_result *r)
{
    json_t *age = json_pack("{s:o, s:o, s:o, s:o}", "removed_files", count(r->age.n_files),
                            "removed_dirs", count(r->age.n_dirs), "freed_space_mb",
                            megabytes(r->age.bytes), "errors", problem_list(&r->age.problems));
    json_t *temp_dirs =
        json_pack("{s:o, s:o, s:o}", "removed_dirs", count(r->temp_dirs.n_dirs), "freed_space_mb",
                  megabytes(r->temp_dirs.bytes), "errors", problem_list(&r->temp_dirs.problems));
    json_t *size = json_pack("{s:o, s:o}", "removed_files", count(r->size.n_files),
                             "freed_space_mb", megabytes(r->size.bytes));
    if (r->was_too_large) {
        (void)json_object_set_new(size, "target_size_mb", megabytes(r->target_bytes));
        (void)json_object_set_new(size, "current_size_mb", megabytes(r->size_after_bytes));
        (void)json_object_set_new(size, "errors", problem_list(&r->size.problems));
    } else {
        (void)json_object_set_new(size, "message",
                                  json_string("the size of the cache is within its limits"));
    }
    json_t *patterns =
        json_pack("{s:o, s:o, s:o, s:o}", "removed_files", count(r->patterns.n_files),
                  "freed_space_mb", megabytes(r->patterns.bytes), "patterns_processed",
                  count(r->n_patterns), "errors", problem_list(&r->patterns.problems));
    return json_pack("{s:o, s:o, s:o, s:o}", "age", age, "temp_dirs", temp_dirs, "size", size,
                     "patterns", patterns);
}

json_t *kk_cleanup_result_json(const kk_cleanup_result *r)
{
    const uint64_t freed = r->before.bytes - r->after.bytes;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "initial_size_mb",
                     megabytes(r->before.bytes), "final_size_mb", megabytes(r->after.bytes),
                     "total_freed_mb", megabytes(freed), "cleanup_results", policies_object(r),
                     "removed_empty_dirs", count(r->n_empty_dirs), "preserved",
                     preserved_object(&r->preserved), "kinds", kinds_object(r->kinds), "elapsed_ms",
                     kk_json_real(r->elapsed_ms), "stopped_early", r->is_stopped);
}

void kk_cleanup_message(char message[KK_CLEANUP_MESSAGE_SIZE], const kk_cleanup_result *r)
{
    (void)snprintf(message, KK_CLEANUP_MESSAGE_SIZE,
                   "Cache cleanup %s, freed %.1fMB; %zu files of %.1fMB are in use and were kept",
                   r->is_stopped ? "stopped early" : "completed",
                   kk_cache_mb(r->before.bytes - r->after.bytes), r->preserved.n_files,
                   kk_cache_mb(r->preserved.bytes));
}
