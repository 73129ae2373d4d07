/*
 * benchmark_kernels.c - `kokoro benchmark --kernels`: the speed of each kernel beside what the
 * registers of this CPU could do, measured in the same run. Needs no model.
 */
#include "benchmark.h"

#include "bench/kernel_bench.h"
#include "hardware/hardware.h"

#include <jansson.h>
#include <stdlib.h>

enum { N_ROUNDS = 11 };
static const double WINDOW_S = 0.003;

static void print_table(const kk_kernel_bench *bench, const kk_hardware *hardware)
{
    (void)printf("%s, instruction set %s, %d rounds\n\n", hardware->cpu_model,
                 bench->instruction_set, bench->n_rounds);
    (void)printf("%-14s %-28s %24s %24s\n", "", "", "one thread",
                 bench->n_threads > 1 ? "all threads" : "");
    (void)printf("%-14s %-28s %15s %8s %15s %8s\n", "kernel", "shape", "", "of peak", "",
                 "of peak");
    for (size_t i = 0; i < bench->n_figures; i++) {
        const kk_kernel_figure *f = &bench->figures[i];
        const double speeds[] = {f->one, f->all}, shares[] = {f->one_of_peak, f->all_of_peak};
        const char *unit = f->counts_macs ? "GMAC/s" : "Gval/s";
        (void)printf("%-14s %-28s", f->kernel, f->shape);
        for (int way = 0; way < 2; way++) {
            (void)printf(" %8.*f %s", speeds[way] < 10.0 ? 2 : 1, speeds[way], unit);
            if (shares[way] > 0.0)
                (void)printf(" %6.1f %%", shares[way] * 100.0);
            else
                (void)printf("%9s", "");
        }
        (void)puts("");
    }
    (void)printf("\n%d threads in all. conv_toom and toom_tile (with\nactivation and transforms) "
                 "are counted as the convolutions that they replace.\n",
                 bench->n_threads);
}

static json_t *figure_to_json(const kk_kernel_figure *f)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:f, s:f}", "kernel", f->kernel, "shape", f->shape,
                               "unit", f->counts_macs ? "GMAC/s" : "Gvalues/s", "one_thread",
                               f->one, "all_threads", f->all);
    if (f->one_of_peak > 0.0) {
        (void)json_object_set_new(object, "one_thread_of_peak", json_real(f->one_of_peak));
        (void)json_object_set_new(object, "all_threads_of_peak", json_real(f->all_of_peak));
    }
    return object;
}

static int print_json(const kk_kernel_bench *bench, const kk_hardware *hardware)
{
    json_t *figures = json_array();
    for (size_t i = 0; i < bench->n_figures; i++)
        (void)json_array_append_new(figures, figure_to_json(&bench->figures[i]));
    json_t *report = json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:o}", "version", kokoro_version(),
                               "cpu", hardware->cpu_model, "instruction_set",
                               bench->instruction_set, "threads", bench->n_threads, "rounds",
                               bench->n_rounds, "window_s", bench->window_s, "kernels", figures);
    return kk_app_print_json(report);
}

static int threads_of(const kk_app *app, const kk_hardware *hardware)
{
    const int n_threads = (int)kk_config_int(&app->config, KK_SET_THREADS);
    return n_threads > 0 ? n_threads : kk_hardware_threads(hardware);
}

int kk_benchmark_kernels(kk_app *app, bool json)
{
    kokoro_error error;
    kk_hardware hardware;
    kk_hardware_read(&hardware);
    kk_kernel_bench bench = {
        .n_threads = threads_of(app, &hardware), .n_rounds = N_ROUNDS, .window_s = WINDOW_S};
    if (kk_kernel_bench_run(&bench, kk_config_text(&app->config, KK_SET_CPU_MASK), &error) !=
        KOKORO_OK)
        return kk_complain_of(&error);
    int status = KK_EXIT_OK;
    if (json)
        status = print_json(&bench, &hardware);
    else
        print_table(&bench, &hardware);
    return kk_app_flush() != KK_EXIT_OK ? KK_EXIT_FAILED : status;
}
