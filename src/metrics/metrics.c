/*
 * metrics.c - figures in atomic cells. Writers take turns by a mutex that readers do not know; they
 * make the version odd while they are at work. A reader copies everything and looks whether the
 * version was even and is still the same; if not, it copies again. So a request is seen with all of
 * its figures or not at all, and nobody who speaks waits for somebody who looks. Source: Boehm,
 * "Can Seqlocks Get Along With Programming Language Memory Models?" (2012), the form whose reader
 * ends by a read-modify-write.
 *
 * A window is a ring of slots of ten seconds; a slot is emptied when its time comes round again.
 */
#include "metrics/metrics.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { N_MEMORY = 100, MIN_MEMORY = 10, N_SLOTS = 31, SLOT_S = 10, MAX_TRIES = 1000 };

typedef atomic_uint_least64_t cell;
typedef _Atomic double real_cell;

/* What is kept alike of a slot and since the start. */
typedef struct figures {
    cell time; /* number of the slot's ten seconds, from 1; 0: never used */
    cell n_speech, n_done, n_success;
    real_cell audio_s;
    real_cell sums[KK_METRICS_N_KINDS];
    cell counts[KK_METRICS_N_KINDS][KK_HISTOGRAM_N];
} figures;

typedef struct provider_cells {
    char name[KK_METRICS_PROVIDER_NAME]; /* written before n_providers counts it, never again */
    cell n_inferences;
    real_cell model_s;
} provider_cells;

struct kk_metrics {
    pthread_mutex_t writers;
    cell version;
    kk_metrics_options options;
    double start_s;
    figures since_start, slots[N_SLOTS];
    cell errors[KK_METRICS_N_ERRORS];
    provider_cells providers[KK_METRICS_MAX_PROVIDERS];
    cell n_providers, last_provider;
    real_cell model_s, queue_s, efficiency;
    cell n_queued, n_cache_hits, n_cache_misses, n_warnings, unknown_symbols;
    cell words[KOKORO_N_SOURCES], http[KK_METRICS_N_HTTP];
    real_cell memory_mb[N_MEMORY];
    cell n_memory, next_memory;
};

const char *kk_metrics_error_text(int error)
{
    static const char *const texts[] = {
#define KK_X(name, text) text,
        KK_METRICS_ERROR_MAP(KK_X)
#undef KK_X
    };
    return error >= 0 && error < KK_METRICS_N_ERRORS ? texts[error] : "none";
}

kk_metrics *kk_metrics_create(const kk_metrics_options *options)
{
    kk_metrics *metrics = kk_calloc(1, sizeof(*metrics));
    if (metrics == NULL)
        return NULL;
    if (pthread_mutex_init(&metrics->writers, NULL) != 0) {
        kk_free(metrics);
        return NULL;
    }
    metrics->options = *options;
    if (metrics->options.now_s == NULL)
        metrics->options.now_s = kk_now_s;
    metrics->start_s = metrics->options.now_s();
    return metrics;
}

void kk_metrics_destroy(kk_metrics **metrics)
{
    if (metrics == NULL || *metrics == NULL)
        return;
    (void)pthread_mutex_destroy(&(*metrics)->writers);
    kk_free(*metrics);
    *metrics = NULL;
}

/* --- cells --- */

static uint64_t get(const cell *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static double get_real(const real_cell *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static void set(cell *c, uint64_t value)
{
    atomic_store_explicit(c, value, memory_order_relaxed);
}

static void set_real(real_cell *c, double value)
{
    atomic_store_explicit(c, value, memory_order_relaxed);
}

static void add(cell *c, uint64_t n)
{
    set(c, get(c) + n);
}

static void add_real(real_cell *c, double value)
{
    set_real(c, get_real(c) + value);
}

/* --- writing --- */

static void begin(kk_metrics *metrics)
{
    (void)pthread_mutex_lock(&metrics->writers);
    (void)atomic_fetch_add_explicit(&metrics->version, 1, memory_order_acq_rel);
}

static void end(kk_metrics *metrics)
{
    (void)atomic_fetch_add_explicit(&metrics->version, 1, memory_order_release);
    (void)pthread_mutex_unlock(&metrics->writers);
}

static uint64_t slot_time(const kk_metrics *metrics)
{
    double s = metrics->options.now_s() - metrics->start_s;
    return 1 + (uint64_t)(s > 0.0 ? s / SLOT_S : 0.0);
}

static void clear(figures *f)
{
    set(&f->n_speech, 0);
    set(&f->n_done, 0);
    set(&f->n_success, 0);
    set_real(&f->audio_s, 0.0);
    for (int k = 0; k < KK_METRICS_N_KINDS; k++) {
        set_real(&f->sums[k], 0.0);
        for (size_t b = 0; b < KK_HISTOGRAM_N; b++)
            set(&f->counts[k][b], 0);
    }
}

static figures *slot_now(kk_metrics *metrics)
{
    uint64_t time = slot_time(metrics);
    figures *slot = &metrics->slots[time % N_SLOTS];
    if (get(&slot->time) != time) {
        clear(slot);
        set(&slot->time, time);
    }
    return slot;
}

static void add_value(kk_metrics *metrics, enum kk_metrics_kind kind, double value)
{
    figures *both[] = {&metrics->since_start, slot_now(metrics)};
    size_t bucket = kk_histogram_bucket(value);
    for (size_t i = 0; i < 2; i++) {
        add(&both[i]->counts[kind][bucket], 1);
        add_real(&both[i]->sums[kind], value);
    }
}

static void count_request(kk_metrics *metrics, int error, bool is_success, double audio_s)
{
    figures *both[] = {&metrics->since_start, slot_now(metrics)};
    bool is_done = error < 0 || error >= KK_METRICS_N_ERRORS;
    for (size_t i = 0; i < 2; i++) {
        add(&both[i]->n_speech, 1);
        add(&both[i]->n_done, is_done);
        add(&both[i]->n_success, is_success);
        add_real(&both[i]->audio_s, audio_s);
    }
    if (!is_done)
        add(&metrics->errors[error], 1);
}

static void add_memory(kk_metrics *metrics, double memory_mb)
{
    uint64_t next = get(&metrics->next_memory);
    set_real(&metrics->memory_mb[next], memory_mb);
    set(&metrics->next_memory, (next + 1) % N_MEMORY);
    if (get(&metrics->n_memory) < N_MEMORY)
        add(&metrics->n_memory, 1);
}

void kk_metrics_add_speech(kk_metrics *metrics, const kk_metrics_speech *speech)
{
    const kk_metrics_options *target = &metrics->options;
    const kokoro_stats *stats = &speech->stats;
    double memory_mb = (double)kk_resident_bytes() / 1048576.0;
    bool has_sound = speech->first_sound_s >= 0.0 && stats->audio_s > 0.0;
    bool is_whole = has_sound && speech->error == KK_METRICS_NO_ERROR && speech->total_s > 0.0;
    double rtf = has_sound ? speech->total_s / stats->audio_s : 0.0;
    double efficiency = is_whole ? stats->audio_s / speech->total_s : 0.0;
    bool is_success = is_whole && speech->first_sound_s <= speech->first_sound_target_s &&
                      rtf <= target->rtf && efficiency >= target->efficiency;
    begin(metrics);
    count_request(metrics, speech->error, is_success, stats->audio_s);
    add_real(&metrics->model_s, stats->model_ms / 1e3);
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        add(&metrics->words[i], stats->g2p_sources[i]);
    add(&metrics->unknown_symbols, stats->unknown_symbols);
    if (has_sound) {
        add(&metrics->n_queued, 1);
        add_real(&metrics->queue_s, speech->queue_s);
        add_value(metrics, KK_METRICS_FIRST_SOUND, speech->first_sound_s);
    }
    if (is_whole) {
        add_value(metrics, KK_METRICS_RTF, rtf);
        add_real(&metrics->efficiency, efficiency);
    }
    if (speech->error == KK_METRICS_CANCELLED && speech->cancel_s >= 0.0)
        add_value(metrics, KK_METRICS_CANCEL, speech->cancel_s);
    add_memory(metrics, memory_mb);
    end(metrics);
}

/* The place of a provider; a ninth is booked to the last place. */
static size_t find_provider(kk_metrics *metrics, const char *name)
{
    size_t n = (size_t)get(&metrics->n_providers), i = 0;
    while (i < n && strncmp(metrics->providers[i].name, name, KK_METRICS_PROVIDER_NAME - 1) != 0)
        i++;
    if (i == KK_METRICS_MAX_PROVIDERS)
        return i - 1;
    if (i == n) {
        (void)snprintf(metrics->providers[i].name, KK_METRICS_PROVIDER_NAME, "%s", name);
        atomic_store_explicit(&metrics->n_providers, n + 1, memory_order_release);
    }
    return i;
}

void kk_metrics_add_inference(kk_metrics *metrics, const char *provider, double model_s)
{
    begin(metrics);
    size_t i = find_provider(metrics, provider);
    set(&metrics->last_provider, i);
    add(&metrics->providers[i].n_inferences, 1);
    add_real(&metrics->providers[i].model_s, model_s);
    add_value(metrics, KK_METRICS_INFERENCE, model_s);
    end(metrics);
}

void kk_metrics_add_refusal(kk_metrics *metrics, enum kk_metrics_error error)
{
    begin(metrics);
    count_request(metrics, (int)error, false, 0.0);
    end(metrics);
}

void kk_metrics_add_cache_miss(kk_metrics *metrics)
{
    begin(metrics);
    add(&metrics->n_cache_misses, 1);
    end(metrics);
}

void kk_metrics_add_cache_hit(kk_metrics *metrics)
{
    begin(metrics);
    count_request(metrics, KK_METRICS_NO_ERROR, true, 0.0);
    add(&metrics->n_cache_hits, 1);
    end(metrics);
}

void kk_metrics_add_answer(kk_metrics *metrics, int http_status)
{
    if (http_status < KK_METRICS_FIRST_HTTP ||
        http_status >= KK_METRICS_FIRST_HTTP + KK_METRICS_N_HTTP)
        return;
    begin(metrics);
    add(&metrics->http[http_status - KK_METRICS_FIRST_HTTP], 1);
    end(metrics);
}

void kk_metrics_add_warning(kk_metrics *metrics)
{
    begin(metrics);
    add(&metrics->n_warnings, 1);
    end(metrics);
}

/* --- reading --- */

static double mean(double sum, uint64_t n)
{
    return n > 0 ? sum / (double)n : 0.0;
}

/* The counts of a window while its slots are put together. */
typedef struct gathered {
    uint64_t counts[KK_METRICS_N_KINDS][KK_HISTOGRAM_N];
} gathered;

static void gather(kk_metrics_span *span, gathered *g, const figures *f)
{
    span->n_speech += get(&f->n_speech);
    span->n_done += get(&f->n_done);
    span->n_success += get(&f->n_success);
    span->audio_s += get_real(&f->audio_s);
    for (int k = 0; k < KK_METRICS_N_KINDS; k++) {
        span->kinds[k].sum += get_real(&f->sums[k]);
        for (size_t b = 0; b < KK_HISTOGRAM_N; b++)
            g->counts[k][b] += get(&f->counts[k][b]);
    }
}

static void summarise(kk_metrics_span *span, const gathered *g)
{
    span->n_failed = span->n_speech - span->n_done;
    for (int k = 0; k < KK_METRICS_N_KINDS; k++) {
        kk_metrics_summary *s = &span->kinds[k];
        for (size_t b = 0; b < KK_HISTOGRAM_N; b++)
            s->n += g->counts[k][b];
        s->mean = mean(s->sum, s->n);
        s->p50 = kk_histogram_quantile(g->counts[k], 0.50);
        s->p95 = kk_histogram_quantile(g->counts[k], 0.95);
        s->p99 = kk_histogram_quantile(g->counts[k], 0.99);
    }
}

static void read_slots(const kk_metrics *metrics, kk_metrics_span *span, unsigned window_s)
{
    gathered g = {0};
    const uint64_t now = slot_time(metrics), n = window_s / SLOT_S;
    const uint64_t first = now > n ? now - n : 1;
    for (size_t i = 0; i < N_SLOTS; i++) {
        const figures *slot = &metrics->slots[i];
        if (get(&slot->time) >= first && get(&slot->time) <= now)
            gather(span, &g, slot);
    }
    span->length_s = metrics->options.now_s() - metrics->start_s - (double)(first - 1) * SLOT_S;
    summarise(span, &g);
}

static void read_since_start(const kk_metrics *metrics, kk_metrics_view *view)
{
    gathered g = {0};
    kk_metrics_span *span = &view->spans[KK_METRICS_SINCE_START];
    gather(span, &g, &metrics->since_start);
    span->length_s = view->uptime_s;
    summarise(span, &g);
    for (int k = 0; k < KK_METRICS_N_KINDS; k++) {
        uint64_t n = 0;
        size_t b = 0;
        for (size_t edge = 0; edge < KK_METRICS_N_EDGES; edge++) {
            while (b <= edge * KK_HISTOGRAM_PER_OCTAVE)
                n += g.counts[k][b++];
            view->up_to[k][edge] = n;
        }
    }
}

/* Slope of the line of least squares through the memory after each of the last requests. */
static double memory_slope(const kk_metrics *metrics, size_t n)
{
    if (n < MIN_MEMORY)
        return 0.0;
    double mean_x = (double)(n - 1) / 2.0, mean_y = 0.0, xy = 0.0, xx = 0.0;
    size_t oldest = ((size_t)get(&metrics->next_memory) + N_MEMORY - n) % N_MEMORY;
    for (size_t i = 0; i < n; i++)
        mean_y += get_real(&metrics->memory_mb[(oldest + i) % N_MEMORY]) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double x = (double)i - mean_x;
        xy += x * (get_real(&metrics->memory_mb[(oldest + i) % N_MEMORY]) - mean_y);
        xx += x * x;
    }
    return xy / xx;
}

static void read_http(const kk_metrics *metrics, kk_metrics_view *view)
{
    for (size_t i = 0; i < KK_METRICS_N_HTTP; i++) {
        view->http[i] = get(&metrics->http[i]);
        view->n_answers += view->http[i];
        view->n_client_errors += i / 100 == 3 ? view->http[i] : 0;
        view->n_server_errors += i / 100 == 4 ? view->http[i] : 0;
    }
}

static void read_all(const kk_metrics *metrics, kk_metrics_view *view)
{
    memset(view, 0, sizeof(*view));
    view->uptime_s = metrics->options.now_s() - metrics->start_s;
    read_slots(metrics, &view->spans[KK_METRICS_1_MIN], 60);
    read_slots(metrics, &view->spans[KK_METRICS_5_MIN], 300);
    read_since_start(metrics, view);
    for (int i = 0; i < KK_METRICS_N_ERRORS; i++)
        view->errors[i] = get(&metrics->errors[i]);
    view->n_providers = (size_t)atomic_load_explicit(&metrics->n_providers, memory_order_acquire);
    view->last_provider = (size_t)get(&metrics->last_provider);
    for (size_t i = 0; i < view->n_providers; i++) {
        memcpy(view->providers[i].name, metrics->providers[i].name, KK_METRICS_PROVIDER_NAME);
        view->providers[i].n_inferences = get(&metrics->providers[i].n_inferences);
        view->providers[i].model_s = get_real(&metrics->providers[i].model_s);
    }
    view->model_s = get_real(&metrics->model_s);
    view->queue_s = get_real(&metrics->queue_s);
    view->n_queued = get(&metrics->n_queued);
    view->efficiency = mean(get_real(&metrics->efficiency),
                            view->spans[KK_METRICS_SINCE_START].kinds[KK_METRICS_RTF].n);
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        view->words[i] = get(&metrics->words[i]);
    view->unknown_symbols = get(&metrics->unknown_symbols);
    view->n_cache_hits = get(&metrics->n_cache_hits);
    view->n_cache_misses = get(&metrics->n_cache_misses);
    view->n_warnings = get(&metrics->n_warnings);
    read_http(metrics, view);
    view->n_memory = (size_t)get(&metrics->n_memory);
    view->memory_slope_mb = memory_slope(metrics, view->n_memory);
}

void kk_metrics_read(kk_metrics *metrics, kk_metrics_view *view)
{
    /* A writer is at work for a microsecond a request. Should one be held up in the middle of it
     * for long, the figures are shown without waiting for its last ones. */
    for (int i = 0; i < MAX_TRIES; i++) {
        uint64_t before = atomic_load_explicit(&metrics->version, memory_order_acquire);
        if (before % 2 == 0) {
            read_all(metrics, view);
            if (atomic_fetch_add_explicit(&metrics->version, 0, memory_order_acq_rel) == before)
                return;
        }
        (void)sched_yield();
    }
    read_all(metrics, view);
}
