/* report_system.c - title, what machine it was, how it was measured, who could take part. */
#include "bench/report_parts.h"

#include <string.h>

static void append_row(kk_buf *out, const char *name, const char *value)
{
    kk_buf_appendf(out, "| %s | ", name);
    kk_append_markdown(out, value[0] != '\0' ? value : "not known");
    kk_buf_append_str(out, " |\n");
}

static void append_hardware(kk_buf *out, const kk_hardware *hardware)
{
    kk_buf_append_str(out, "### Hardware Capabilities\n\n| | |\n|---|---|\n");
    append_row(out, "Platform", hardware->platform);
    append_row(out, "Kernel release", hardware->release);
    append_row(out, "CPU", hardware->cpu_model);
    append_row(out, "Instruction set", hardware->instruction_set);
    kk_buf_appendf(out, "| CPU cores | %d, with %d threads |\n", hardware->n_physical,
                   hardware->n_logical);
    kk_buf_append_str(out, "| Memory | ");
    kk_append_bytes(out, (double)hardware->memory_bytes);
    kk_buf_append_str(out, " |\n| Limits of the control group | ");
    if (hardware->cpu_quota > 0.0)
        kk_buf_appendf(out, "%.2f CPUs at once", hardware->cpu_quota);
    if (hardware->cpu_quota > 0.0 && hardware->memory_limit_bytes > 0)
        kk_buf_append_str(out, ", ");
    if (hardware->memory_limit_bytes > 0)
        kk_append_bytes(out, (double)hardware->memory_limit_bytes);
    if (!(hardware->cpu_quota > 0.0) && hardware->memory_limit_bytes == 0)
        kk_buf_append_str(out, "none");
    kk_buf_append_str(out, " |\n\n");
}

static void append_load(kk_buf *out, double load)
{
    if (load < 0.0)
        kk_buf_append_str(out, "not known");
    else
        kk_buf_appendf(out, "%.2f", load);
}

static void append_conditions(kk_buf *out, const kk_bench_result *result)
{
    kk_buf_append_str(out, "### This Run\n\n| | |\n|---|---|\n");
    append_row(out, "Program", result->version);
    append_row(out, "Mode", result->mode);
    append_row(out, "Voice", result->voice);
    kk_buf_appendf(out, "| Duration | %.0f s%s |\n", result->duration_s,
                   result->is_interrupted ? ", **interrupted: the figures are those up to then**"
                                          : "");
    kk_buf_appendf(out, "| Runs of each way on each text | %d, after %d to warm up |\n",
                   result->n_runs, result->n_warm_ups);
    kk_buf_appendf(out, "| Samples thrown away because something else ran | %zu |\n",
                   result->n_discarded);
    if (result->n_groups > 1)
        kk_buf_appendf(out,
                       "| Ways took turns | in **%zu groups**, since memory was short for all at "
                       "once |\n",
                       result->n_groups);
    else
        kk_buf_append_str(out, "| Ways took turns | all with each other |\n");
    kk_buf_append_str(out, "| Load average (1 min), before and after | ");
    append_load(out, result->load_before);
    kk_buf_append_str(out, ", ");
    append_load(out, result->load_after);
    kk_buf_append_str(out, " |\n| Busy with something else | ");
    if (result->busy[0] != '\0') {
        kk_buf_append_str(out, "**yes**: ");
        kk_append_markdown(out, result->busy);
    } else {
        kk_buf_append_str(out, "no");
    }
    kk_buf_append_str(out, " |\n\n");
}

static void append_way(kk_buf *out, const kk_bench_way *way, const char *mode)
{
    kk_buf_append_str(out, "| ");
    kk_append_way(out, &way->way);
    kk_buf_append_str(out, " | ");
    kk_append_markdown(out, way->execution_provider);
    kk_buf_append_str(out, " | ");
    kk_append_markdown(out, way->version);
    kk_buf_append_str(out, " | ");
    if (way->failure != NULL) {
        kk_buf_append_str(out, "failed: ");
        kk_append_markdown(out, way->failure);
    } else if (way->placement[0] != '\0') {
        kk_append_markdown(out, way->placement);
    } else if (strcmp(way->way.provider, "onnxruntime") == 0) {
        kk_buf_append_str(out, "where its nodes are placed was not found out");
        if (strcmp(mode, "quick") == 0)
            kk_buf_append_str(out, "; a full run has time to ask");
    }
    kk_buf_append_str(out, " |\n");
}

static void append_providers(kk_buf *out, const kk_bench_result *result)
{
    kk_buf_append_str(out, "### Providers\n\n"
                           "| Way | Execution provider | Version | Notes |\n|---|---|---|---|\n");
    for (size_t i = 0; i < result->n_ways; i++)
        append_way(out, &result->ways[i], result->mode);
    kk_buf_append_char(out, '\n');
    if (result->n_absent == 0)
        return;
    kk_buf_append_str(out, "Not available here:\n\n| Provider | Why, and what would help |\n"
                           "|---|---|\n");
    for (size_t i = 0; i < result->n_absent; i++) {
        kk_buf_append_str(out, "| ");
        kk_append_markdown(out, result->absent[i].provider);
        kk_buf_append_str(out, " | ");
        kk_append_markdown(out, result->absent[i].reason);
        kk_buf_append_str(out, " |\n");
    }
    kk_buf_append_char(out, '\n');
}

static void append_left_out(kk_buf *out, const kk_bench_result *result)
{
    if (result->n_left_out == 0)
        return;
    kk_buf_append_str(out, "Not measured:\n\n| Way | Why |\n|---|---|\n");
    for (size_t i = 0; i < result->n_left_out; i++) {
        kk_buf_append_str(out, "| ");
        kk_append_way(out, &result->left_out[i].way);
        kk_buf_append_str(out, " | ");
        kk_append_markdown(out, result->left_out[i].reason);
        kk_buf_append_str(out, " |\n");
    }
    kk_buf_append_char(out, '\n');
}

void kk_report_system(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    kk_buf_append_str(out, "# Kokoro TTS Benchmark Results\n\nGenerated: ");
    kk_append_time(out, result->started_at_s + result->duration_s);
    kk_buf_append_str(out, "\n\n## System Information\n\n");
    append_hardware(out, &result->hardware);
    append_conditions(out, result);
    append_providers(out, result);
    append_left_out(out, result);
}
