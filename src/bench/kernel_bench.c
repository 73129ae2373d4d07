/*
 * kernel_bench.c - measures in rounds. Each measurement is a window of a few milliseconds in which
 * every thread repeats one job on memory of its own; directly before it, as many threads measure
 * the registers' peak. Over the rounds the median of each counts, and the ratio of the two medians:
 * what slows the machine for seconds slows both, and what disturbs one window is an outlier.
 *
 *     round: for each kernel: [peak, kernel] on one thread, [peak, kernel] on all threads
 */
#include "bench/kernel_bench.h"

#include "base/alloc.h"
#include "base/status.h"
#include "bench/kernel_jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ONE, ALL, N_WAYS };

typedef struct runner runner;

typedef struct worker {
    runner *runner;
    pthread_t thread;
    kk_job_buffers buffers;
    double speed; /* 1e9 a second, of the last window */
} worker;

struct runner {
    kk_kernel_bench *bench;
    const kk_kernels *kernels;
    kk_kernel_job jobs[KK_BENCH_MAX_KERNELS], peaks[KK_PEAK_BF16 + 1];
    worker *workers; /* [bench->n_threads] */
    double *samples; /* [jobs][N_WAYS][n_rounds] speeds, then of the peak before each */
    /* Of the window that runs. */
    const kk_kernel_job *job;
    double window_s;
    atomic_int n_waiting; /* threads that have not yet come to the start; below 0: do not start */
};

/* Processor time of this thread: what other programs take meanwhile does not count. */
static double thread_time_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Repeat the job for a window and note its speed. Once before, outside of it, to warm caches; then
 * as often between two looks at the clock, a call of the system, as fills 50 microseconds. */
static void measure(worker *w)
{
    runner *r = w->runner;
    double work = 0.0, last, now;
    size_t n = 1;
    (void)r->job->run(r->job, r->kernels, &w->buffers);
    const double start = now = thread_time_s();
    do {
        for (size_t i = 0; i < n; i++)
            work += r->job->run(r->job, r->kernels, &w->buffers);
        last = now;
        now = thread_time_s();
        if (now - last < 50e-6)
            n *= 2;
    } while (now - start < r->window_s);
    w->speed = work / (now - start) * 1e-9;
}

/* Start together: a thread that began alone would measure the machine with nobody else on it. */
static void *measure_together(void *context)
{
    worker *w = context;
    atomic_fetch_sub(&w->runner->n_waiting, 1);
    while (atomic_load(&w->runner->n_waiting) > 0) {
    }
    if (atomic_load(&w->runner->n_waiting) == 0)
        measure(w);
    return NULL;
}

/* One window on one or all threads: the summed speed, or a negative number when a thread did not
 * start. */
static double run_window(runner *r, const kk_kernel_job *job, double window_s, int way)
{
    const int n = way == ALL ? r->bench->n_threads : 1;
    double speed = 0.0;
    int n_started = 1;
    r->job = job;
    r->window_s = window_s;
    atomic_store(&r->n_waiting, n);
    while (n_started < n && pthread_create(&r->workers[n_started].thread, NULL, measure_together,
                                           &r->workers[n_started]) == 0)
        n_started++;
    if (n_started < n)
        atomic_store(&r->n_waiting, -n);
    else
        measure_together(&r->workers[0]);
    for (int i = 0; i < n_started; i++) {
        if (i > 0)
            (void)pthread_join(r->workers[i].thread, NULL);
        speed += r->workers[i].speed;
    }
    return n_started < n ? -1.0 : speed;
}

static double *samples_of(const runner *r, size_t job, int way, int are_peaks)
{
    const size_t n_jobs = r->bench->n_figures, n_rounds = (size_t)r->bench->n_rounds;
    return r->samples + ((are_peaks ? n_jobs : 0) + job) * N_WAYS * n_rounds +
           (size_t)way * n_rounds;
}

static int run_round(runner *r, size_t round, kokoro_error *err)
{
    const double window_s = r->bench->window_s;
    for (size_t i = 0; i < r->bench->n_figures; i++) {
        const kk_kernel_job *job = &r->jobs[i];
        for (int way = ONE; way < N_WAYS; way++) {
            double peak = 0.0;
            if (job->peak != KK_PEAK_NONE)
                peak = run_window(r, &r->peaks[job->peak], window_s, way);
            const double speed = run_window(r, job, window_s, way);
            if (peak < 0.0 || speed < 0.0)
                return kk_fail(err, KOKORO_NO_MEMORY, "a thread did not start");
            samples_of(r, i, way, 0)[round] = speed;
            samples_of(r, i, way, 1)[round] = peak;
        }
    }
    return KOKORO_OK;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return n % 2 != 0 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

static void fill_figures(const runner *r)
{
    const size_t n = (size_t)r->bench->n_rounds;
    for (size_t i = 0; i < r->bench->n_figures; i++) {
        double speeds[N_WAYS], shares[N_WAYS];
        for (int way = ONE; way < N_WAYS; way++) {
            const double peak = median(samples_of(r, i, way, 1), n);
            speeds[way] = median(samples_of(r, i, way, 0), n);
            shares[way] = peak > 0.0 ? speeds[way] / peak : 0.0;
        }
        r->bench->figures[i] = (kk_kernel_figure){.kernel = r->jobs[i].kernel,
                                                  .shape = r->jobs[i].shape,
                                                  .counts_macs = r->jobs[i].counts_macs,
                                                  .one = speeds[ONE],
                                                  .all = speeds[ALL],
                                                  .one_of_peak = shares[ONE],
                                                  .all_of_peak = shares[ALL]};
    }
}

static int prepare(runner *r, kokoro_error *err)
{
    kk_kernel_bench *bench = r->bench;
    bench->instruction_set = r->kernels->name;
    bench->n_figures = kk_kernel_jobs(r->jobs, KK_BENCH_MAX_KERNELS, r->kernels);
    for (size_t i = 0; i < bench->n_figures; i++) {
        if (strncmp(r->jobs[i].kernel, "peak_", 5) == 0)
            r->peaks[r->jobs[i].peak] = r->jobs[i];
    }
    r->samples = kk_calloc(bench->n_figures * N_WAYS * 2, (size_t)bench->n_rounds * sizeof(double));
    r->workers = kk_calloc((size_t)bench->n_threads, sizeof(*r->workers));
    if (r->samples == NULL || r->workers == NULL)
        return kk_fail_memory(err);
    for (int i = 0; i < bench->n_threads; i++) {
        r->workers[i].runner = r;
        if (kk_job_buffers_init(&r->workers[i].buffers) != KOKORO_OK)
            return kk_fail_memory(err);
    }
    return KOKORO_OK;
}

int kk_kernel_bench_run(kk_kernel_bench *bench, const char *mask, kokoro_error *err)
{
    runner r = {.bench = bench, .kernels = kk_kernels_choose(mask)};
    if (r.kernels == NULL)
        return kk_fail(err, KOKORO_INVALID, "unknown instruction set '%.20s'", mask);
    if (bench->n_threads < 1 || bench->n_rounds < 1)
        return kk_fail(err, KOKORO_INVALID, "a benchmark needs at least one thread and one round");
    int status = prepare(&r, err);
    for (int i = 0; status == KOKORO_OK && i < bench->n_rounds; i++)
        status = run_round(&r, (size_t)i, err);
    if (status == KOKORO_OK)
        fill_figures(&r);
    for (int i = 0; r.workers != NULL && i < bench->n_threads; i++)
        kk_job_buffers_fini(&r.workers[i].buffers);
    kk_free(r.workers);
    kk_free(r.samples);
    return status;
}
