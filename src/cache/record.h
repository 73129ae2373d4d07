/*
 * record.h - what the last benchmark found: one file for the server, the commands and the library.
 *
 *     <cache>/benchmark/record.json   written under a temporary name and renamed
 *     <cache>/benchmark/lock          held by the process that measures; its number inside
 *
 * Keys that the Kokoro-ONNX TTS API's file has keep their names and units: recommended_provider,
 * current_provider, benchmark_date (seconds since 1970), benchmark_results {name: seconds}.
 */
#ifndef KK_CACHE_RECORD_H
#define KK_CACHE_RECORD_H

#include "cache/fingerprint.h"
#include "cache/way.h"

enum { KK_RECORD_MAX_RESULTS = 32 };

typedef struct kk_record_result {
    kk_way way;
    double seconds;    /* median of the warm inferences of the text that decided */
    double quality_db; /* log-mel distance from native in f32; negative: not known */
} kk_record_result;

typedef struct kk_record {
    kk_way recommended, current; /* current: what `auto` opened last; empty provider: nothing */
    double measured_at_s;        /* since 1970 */
    double refreshed_at_s;       /* last successful use; measured_at_s at first */
    char mode[16];               /* "quick", "full" */
    char reason[256];            /* why it is recommended, a sentence */
    bool is_over_quality;        /* nothing was within KOKORO_MAX_QUALITY_DB: the nearest */
    kk_record_result results[KK_RECORD_MAX_RESULTS]; /* [n_results] best first */
    size_t n_results;
    kk_fingerprint fingerprint;
} kk_record;

/* Where it lies below a cache directory; the caller frees it (kk_free). NULL: memory is out. */
char *kk_record_path(const char *cache_dir);

/* NOT_FOUND when there is none, BAD_DATA (damaged, foreign, half written: says where), IO,
 * NO_MEMORY. */
int kk_record_load(kk_record *out, const char *cache_dir, kokoro_error *err);

/* Atomically, and on the disk when it returns. INVALID (would not be read again: out of range, or
 * `recommended` is not among the results), BUSY, IO, NO_MEMORY. */
int kk_record_store(const kk_record *record, const char *cache_dir, kokoro_error *err);

/* Also all attempts (cache/attempt.h). OK also when there was none. BUSY, IO. */
int kk_record_clear(const char *cache_dir, kokoro_error *err);

/* ---- how long it is good ------------------------------------------------------------------ */

enum kk_frequency { KK_DAILY, KK_WEEKLY, KK_MONTHLY, KK_MANUALLY };

typedef struct kk_validity_rule {
    enum kk_frequency frequency;
    bool is_extended; /* development mode or fast start-up */
} kk_validity_rule;

enum kk_record_state {
    KK_RECORD_MISSING,
    KK_RECORD_VALID,
    KK_RECORD_EXPIRED, /* still the best that is known */
    KK_RECORD_CHANGED, /* of another fingerprint: not to be used */
    KK_RECORD_DAMAGED
};

typedef struct kk_record_view {
    enum kk_record_state state;
    double age_s;        /* since measured or refreshed; never negative */
    double expires_at_s; /* since 1970; infinite when manually */
    const char *changed; /* what of the fingerprint, or NULL */
    char problem[256];   /* of DAMAGED */
} kk_record_view;

/* Seconds that a result is good: 24 h, 7 d, 30 d, and 7, 14, 60 d when extended; infinite. */
double kk_validity_s(const kk_validity_rule *rule);

/*
 * State of a record at the time now_s. A clock that was moved back makes it no younger than new;
 * its next use dates it by the new clock.
 * It expires one period after the last use that refreshed it, and four after its measurement at the
 * latest. `fingerprint` NULL: not compared.
 */
void kk_record_judge(const kk_record *record, const kk_fingerprint *fingerprint,
                     const kk_validity_rule *rule, double now_s, kk_record_view *out);

/* Load and judge: *record is filled unless the state is MISSING or DAMAGED. */
void kk_record_look(kk_record *record, const char *cache_dir, const kk_fingerprint *fingerprint,
                    const kk_validity_rule *rule, double now_s, kk_record_view *out);

/* The way that a provider "auto" opens: what is recommended, with threads and precision as the
 * options ask for where they do. */
void kk_record_way(const kk_record *record, const kokoro_options *options, kk_way *out);

/*
 * After a way was used with success: current = way and, of the recommended one, refreshed_at_s =
 * now_s, where the record is VALID; nothing else. Writes at most once an hour, unless `current`
 * changes. BUSY, IO, NO_MEMORY.
 */
int kk_record_refresh(const char *cache_dir, const kk_fingerprint *fingerprint,
                      const kk_validity_rule *rule, const kk_way *way, double now_s,
                      kokoro_error *err);

/* Whether the record is dated more than a minute after now_s: then the clock was moved back. */
bool kk_record_is_ahead(const kk_record *record, double now_s);

/* Such dates become now_s, so that it does end though nobody uses it. BUSY, IO, NO_MEMORY. */
int kk_record_redate(const char *cache_dir, double now_s, kokoro_error *err);

/* ---- who measures ------------------------------------------------------------------------- */

typedef struct kk_record_lock {
    int fd; /* -1: not held */
} kk_record_lock;

/* BUSY names the holder's process number. IO. A holder that died holds nothing, unless it left a
 * child that was forked without exec. */
int kk_record_lock_take(kk_record_lock *lock, const char *cache_dir, kokoro_error *err);
void kk_record_lock_give(kk_record_lock *lock);

/* Process number of the holder; 0: nobody measures; -1: somebody whose number is not known. */
int kk_record_lock_holder(const char *cache_dir);

#endif
