/*
 * metrics_machine.c - of GET /metrics: the machine, its memory, and the benchmark's record. A state
 * is a gauge for each that there is, 1 for the one that holds; what has no number is a label of a
 * gauge that is 1. Where there is nothing to tell, a family has no sample.
 */
#include "server/status/status.h"

#include "metrics/prometheus.h"
#include "server/benchmark/scheduler.h"

#include <math.h>
#include <string.h>

#define GAUGE "gauge"

/* One of a family that may be without. */
static void known(kk_buf *dst, const char *name, const char *help, bool is_known, double number)
{
    kk_prometheus_family(dst, name, GAUGE, help);
    if (is_known)
        kk_prometheus_sample(dst, name, NULL, NULL, number);
}

/* A sample of 1 for each word of a list that spaces separate. */
static void words(kk_buf *dst, const char *name, const char *help, const char *label,
                  const char *list)
{
    kk_prometheus_family(dst, name, GAUGE, help);
    while (*list != '\0') {
        char word[128];
        const size_t len = strcspn(list, " ");
        (void)snprintf(word, sizeof(word), "%.*s", (int)len, list);
        kk_prometheus_sample(dst, name, label, word, 1.0);
        list += len + strspn(list + len, " ");
    }
}

static void states(kk_buf *dst, const char *name, const char *help, const char *label,
                   const char *const *all, size_t n, const char *now)
{
    kk_prometheus_family(dst, name, GAUGE, help);
    for (size_t i = 0; i < n; i++)
        kk_prometheus_sample(dst, name, label, all[i], strcmp(all[i], now) == 0 ? 1.0 : 0.0);
}

void kk_metrics_memory(kk_buf *dst, const kk_status *s)
{
    static const char *const trends[] = {"stable", "increasing", "decreasing", "unknown"};
    const uint64_t resident = kk_resident_bytes(), peak = kk_peak_resident_bytes();
    if (resident > 0)
        kk_prometheus_single(dst, "process_resident_memory_bytes", GAUGE, "Resident memory.",
                             (double)resident);
    if (peak > 0)
        kk_prometheus_single(dst, "kokoro_resident_memory_peak_bytes", GAUGE,
                             "The most resident memory there ever was.", (double)peak);
    states(dst, "kokoro_memory_trend", "1 for the trend of resident memory over the last requests.",
           "trend", trends, sizeof(trends) / sizeof(trends[0]), kk_status_memory_trend(s));
    kk_prometheus_single(dst, "kokoro_memory_growth_per_request_bytes", GAUGE,
                         "Growth of resident memory a request over the last 100.",
                         s->metrics.memory_slope_mb * 1048576.0);
    kk_prometheus_single(dst, "kokoro_memory_fragmentation_ratio", GAUGE,
                         "Part of the allocator's memory that it holds but nobody uses.",
                         s->watchdog.fragmentation_percent / 100.0);
    kk_prometheus_single(dst, "kokoro_memory_cleanups_total", "counter",
                         "Times that memory was given back to the system.",
                         (double)s->watchdog.n_cleanups);
    kk_prometheus_single(dst, "kokoro_memory_freed_bytes_total", "counter",
                         "Resident memory less after than before those.",
                         (double)s->watchdog.freed_bytes);
}

void kk_metrics_hardware(kk_buf *dst, const kk_status *s)
{
    static const char caches[] = "kokoro_cpu_cache_bytes";
    const kk_hardware *h = &s->server->hardware;
    kk_prometheus_family(dst, "kokoro_cpu_info", GAUGE, "1; its label is the CPU's name.");
    kk_prometheus_sample(dst, "kokoro_cpu_info", "model", h->cpu_model, 1.0);
    kk_prometheus_single(dst, "kokoro_cpu_cores", GAUGE, "Cores that this process may use.",
                         (double)h->n_physical);
    kk_prometheus_single(dst, "kokoro_cpu_threads", GAUGE,
                         "Logical CPUs that this process may use.", (double)h->n_logical);
    known(dst, "kokoro_cpu_limit_cores", "CPUs that the control group may use at once.",
          h->cpu_quota > 0.0, h->cpu_quota);
    kk_prometheus_family(dst, caches, GAUGE, "The first CPU's caches.");
    kk_prometheus_sample(dst, caches, "level", "l1d", (double)h->l1d_bytes);
    kk_prometheus_sample(dst, caches, "level", "l2", (double)h->l2_bytes);
    kk_prometheus_sample(dst, caches, "level", "l3", (double)h->l3_bytes);
    words(dst, "kokoro_cpu_instruction_set_info",
          "1 for each instruction set of the CPU that matters for inference.", "instruction_set",
          h->instruction_sets);
    kk_prometheus_family(dst, "kokoro_kernels_info", GAUGE,
                         "1; its label is the highest instruction set that native can use.");
    kk_prometheus_sample(dst, "kokoro_kernels_info", "instruction_set", h->instruction_set, 1.0);
    words(dst, "kokoro_accelerator_info", "1 for each device node of a GPU or NPU.", "device",
          h->accelerators);
    kk_prometheus_single(dst, "kokoro_machine_memory_bytes", GAUGE, "Memory of the machine.",
                         (double)h->memory_bytes);
    known(dst, "kokoro_memory_limit_bytes", "Memory that the control group may use.",
          h->memory_limit_bytes > 0, (double)h->memory_limit_bytes);
    kk_prometheus_single(dst, "kokoro_uptime_seconds", GAUGE, "Time since the start.",
                         s->metrics.uptime_s);
}

/* What a clock shows; 0 and what never comes is not told. */
static void timestamp(kk_buf *dst, const char *name, const char *help, double wall_s)
{
    known(dst, name, help, wall_s > 0.0 && isfinite(wall_s), wall_s);
}

void kk_metrics_benchmark(kk_buf *dst, const kk_status *s)
{
    enum { N_RUN = KK_BENCH_PAUSED + 1, N_RECORD = KK_RECORD_DAMAGED + 1 };
    const char *run[N_RUN], *record[N_RECORD];
    kk_scheduler_view v;
    kk_scheduler_read(s->server->scheduler, &v);
    const bool has_record = kk_status_has_record(&v), has_run = v.last.ended_at_s > 0.0;
    for (int i = 0; i < N_RUN; i++)
        run[i] = kk_bench_state_text((enum kk_bench_state)i);
    for (int i = 0; i < N_RECORD; i++)
        record[i] = kk_status_record_text((enum kk_record_state)i);
    states(dst, "kokoro_benchmark_state", "1 for the state of the server's own benchmark.", "state",
           run, N_RUN, run[v.state]);
    states(dst, "kokoro_benchmark_record_state", "1 for the state of the benchmark's record.",
           "state", record, N_RECORD, record[v.record_view.state]);
    kk_prometheus_single(dst, "kokoro_benchmark_due", GAUGE, "1 when a benchmark is due.",
                         v.is_due ? 1.0 : 0.0);
    known(dst, "kokoro_benchmark_record_age_seconds",
          "Time since the record was measured or prolonged.", has_record, v.record_view.age_s);
    timestamp(dst, "kokoro_benchmark_record_measured_timestamp_seconds",
              "When the record was measured, since 1970.",
              has_record ? v.record.measured_at_s : 0.0);
    timestamp(dst, "kokoro_benchmark_record_expires_timestamp_seconds",
              "Until when the record is good, since 1970.",
              has_record ? v.record_view.expires_at_s : 0.0);
    timestamp(dst, "kokoro_benchmark_next_timestamp_seconds",
              "When the server measures by itself at the earliest, since 1970.", v.next_at_s);
    timestamp(dst, "kokoro_benchmark_last_end_timestamp_seconds",
              "When the last run ended, since 1970.", v.last.ended_at_s);
    known(dst, "kokoro_benchmark_last_success", "1 when the last run went well.", has_run,
          v.last.was_good ? 1.0 : 0.0);
}
