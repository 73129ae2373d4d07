/*
 * runtime_report.c - keeps the section "Runtime Performance Tracking" of benchmark_results.md in
 * the working directory, the file that people read, at what this server has measured: a minute
 * after something was spoken, and at once where the server's own benchmark put a new report there.
 * Where there is no such report, nothing is written.
 */
#include "server/status/status.h"

#include "base/clock.h"
#include "base/file.h"
#include "bench/report.h"

#include <stdio.h>
#include <time.h>

static const double every_s = 60.0;
static const char report_path[] = "benchmark_results.md";

static void add_span(kk_buf *text, const char *name, const kk_metrics_span *span)
{
    const kk_metrics_summary *inference = &span->kinds[KK_METRICS_INFERENCE];
    const kk_metrics_summary *first = &span->kinds[KK_METRICS_FIRST_SOUND];
    const kk_metrics_summary *rtf = &span->kinds[KK_METRICS_RTF];
    kk_buf_appendf(text,
                   "| %s | %llu | %llu | %.1f | %llu | %.0f / %.0f ms | %.0f / %.0f ms | "
                   "%.3f / %.3f |\n",
                   name, (unsigned long long)span->n_speech, (unsigned long long)span->n_failed,
                   span->audio_s, (unsigned long long)inference->n, 1e3 * inference->p50,
                   1e3 * inference->p95, 1e3 * first->p50, 1e3 * first->p95, rtf->p50, rtf->p95);
}

static void add_figures(kk_buf *text, const kk_status *s)
{
    static const char *const names[] = {"last minute", "last 5 minutes", "since the start"};
    const kk_metrics_view *m = &s->metrics;
    char now[32] = "";
    time_t seconds = (time_t)kk_wall_s();
    struct tm utc;
    if (gmtime_r(&seconds, &utc) != NULL)
        (void)strftime(now, sizeof(now), "%Y-%m-%d %H:%M:%S UTC", &utc);
    kk_buf_appendf(text,
                   "Written by the running server at %s, %.1f hours after its start.\n\n"
                   "| Window | Requests | Failed | Audio (s) | Inferences | Inference p50 / p95 | "
                   "First sound p50 / p95 | RTF p50 / p95 |\n"
                   "|---|---|---|---|---|---|---|---|\n",
                   now, m->uptime_s / 3600.0);
    for (int i = 0; i < KK_METRICS_N_WINDOWS; i++)
        add_span(text, names[i], &m->spans[i]);
    kk_buf_append_str(text, "\n| Ran by | Inferences | Model time (s) |\n|---|---|---|\n");
    for (size_t i = 0; i < m->n_providers; i++)
        kk_buf_appendf(text, "| %s | %llu | %.2f |\n", m->providers[i].name,
                       (unsigned long long)m->providers[i].n_inferences, m->providers[i].model_s);
    kk_buf_appendf(text, "\nMemory: %.0f MB resident, %.0f MB at most.\n",
                   (double)kk_resident_bytes() / 1048576.0,
                   (double)kk_peak_resident_bytes() / 1048576.0);
}

void kk_runtime_report_tick(kk_server *server)
{
    kk_status s;
    kokoro_error error;
    kk_runtime_report *report = &server->runtime_report;
    double now_s = kk_now_s();
    if ((now_s - report->written_at_s < every_s && !report->is_stale) ||
        !kk_file_exists(report_path))
        return;
    kk_status_take(&s, server);
    uint64_t n_speech = s.metrics.spans[KK_METRICS_SINCE_START].n_speech;
    if (n_speech != report->n_speech || report->is_stale) {
        kk_buf text = KK_BUF_INIT;
        add_figures(&text, &s);
        report->n_speech = n_speech;
        report->is_stale = false;
        report->written_at_s = now_s;
        int status = text.failed ? KOKORO_NO_MEMORY
                                 : kk_report_update_runtime(report_path, kk_buf_str(&text), &error);
        /* Once: a directory that may not be written to stays so. */
        if (status != KOKORO_OK && !text.failed && !report->has_complained) {
            report->has_complained = true;
            kk_log_write(&server->log, KOKORO_LOG_INFO, "%s is not kept up: %s", report_path,
                         error.message);
        }
        kk_buf_fini(&text);
    }
    kk_status_give(&s);
}
