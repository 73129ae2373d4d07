/*
 * run.c - the order of a run:
 *
 *     for each group of ways that fit into memory together
 *         load       one after the other, each while the others rest, as long as there is time
 *                    for it (allowance.c); native in f32 is warmed up meanwhile: it tells how
 *                    fast this machine is now
 *         warm-up    each text in each way; the first sound of it is compared with native in f32
 *         rounds     text by text, the ways in a random order that changes with every turn, so that
 *                    noise hits all alike; until the runs are made or the time is over
 *
 * In a full run the way that leads after the first round gets a rival: itself with half of the
 * threads.
 */
#include "bench/run.h"

#include "base/clock.h"
#include "base/spawn.h"
#include "base/status.h"
#include "bench/machine.h"
#include "bench/run_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A way whose precision was left to the provider may turn out to be one that is there already: both
 * are native in f32 where the model or the CPU has no bf16. */
static bool is_twice(const kk_bench_result *result, const kk_bench_way *way)
{
    for (size_t i = 0; i < result->n_ways; i++) {
        if (&result->ways[i] != way && kk_way_equal(&result->ways[i].way, &way->way))
            return true;
    }
    return false;
}

/* Take a way out of the result; lanes of later ways follow. */
static void drop_way(kk_run_state *r, kk_lane *lane)
{
    kk_bench_result *result = r->result;
    kk_bench_way *way = lane->way;
    const size_t place = (size_t)(way - result->ways);
    kk_lane_close(lane);
    memmove(way, way + 1, (result->n_ways - place - 1) * sizeof(*way));
    result->n_ways--;
    const size_t index = (size_t)(lane - r->lanes);
    memmove(lane, lane + 1, (r->n_lanes - index - 1) * sizeof(*lane));
    r->n_lanes--;
    for (size_t i = index; i < r->n_lanes; i++)
        r->lanes[i].way--;
}

static int warm_up_lane(kk_run_state *r, kk_lane *lane, size_t text, unsigned round,
                        kokoro_error *err)
{
    if (!lane->is_open || lane->is_skipped[text] || r->is_over || lane->n_spoken[text] > round)
        return KOKORO_OK;
    if (!kk_bench_may_speak(r, lane, text, lane->n_spoken[text])) {
        lane->is_skipped[text] = lane->n_spoken[text] == 0 && text != r->result->deciding_text;
        return KOKORO_OK;
    }
    return kk_bench_warm_up(r, lane, text, round, err);
}

/* The reference speaks before all others in any case. */
static int warm_up_reference(kk_run_state *r, kk_lane *lane, kokoro_error *err)
{
    int status = KOKORO_OK;
    if (r->plan.n_warm_ups == 0 || !kk_bench_is_reference(&lane->way->way))
        return KOKORO_OK;
    for (size_t t = 0; status == KOKORO_OK && t < r->result->n_texts; t++)
        status = warm_up_lane(r, lane, t, 0, err);
    kk_bench_note_pace(r, lane);
    return status;
}

static int open_or_leave_out(kk_run_state *r, kk_lane *lane, kokoro_error *err)
{
    if (kk_bench_may_load(r, lane))
        return kk_bench_open_lane(r, lane, err);
    lane->is_left_out = true;
    return kk_bench_leave_out(r, lane, err);
}

static int open_lanes(kk_run_state *r, bool warms_up, kokoro_error *err)
{
    const char *asked = r->request->options->precision;
    const bool leaves_precision = asked == NULL || strcmp(asked, "bf16") != 0;
    int status = KOKORO_OK;
    for (size_t i = 0; status == KOKORO_OK && i < r->n_lanes && !r->is_over;) {
        kk_lane *lane = &r->lanes[i];
        const kk_way *way = &lane->way->way;
        lane->in_auto = leaves_precision && strcmp(way->provider, "native") == 0 &&
                        strcmp(way->precision, "bf16") == 0;
        status = open_or_leave_out(r, lane, err);
        if (lane->is_open && lane->in_auto && is_twice(r->result, lane->way)) {
            drop_way(r, lane);
            continue;
        }
        if (status == KOKORO_OK && warms_up)
            status = warm_up_reference(r, lane, err);
        i++;
    }
    return status;
}

/* The reference first, so that the others have something to be compared with. */
static void put_reference_first(const kk_run_state *r, size_t *order)
{
    for (size_t i = 0; i < r->n_lanes; i++) {
        if (!kk_bench_is_reference(&r->lanes[order[i]].way->way))
            continue;
        const size_t kept = order[i];
        memmove(order + 1, order, i * sizeof(*order));
        order[0] = kept;
        return;
    }
}

static int warm_up(kk_run_state *r, kokoro_error *err)
{
    size_t order[KK_BENCH_MAX_WAYS];
    int status = KOKORO_OK;
    for (int v = 0; v < r->plan.n_warm_ups; v++) {
        for (size_t t = 0; t < r->result->n_texts; t++) {
            kk_plan_shuffle(order, r->n_lanes, &r->seed);
            put_reference_first(r, order);
            for (size_t i = 0; status == KOKORO_OK && i < r->n_lanes; i++)
                status = warm_up_lane(r, &r->lanes[order[i]], t, (unsigned)v, err);
        }
    }
    return status;
}

static int sample_lane(kk_run_state *r, kk_lane *lane, size_t text, unsigned round,
                       kokoro_error *err)
{
    const size_t n_had = lane->way->timings[text].inference_s.n;
    if (!lane->is_open || lane->is_skipped[text] || r->is_over)
        return KOKORO_OK;
    if (!kk_bench_may_speak(r, lane, text, n_had))
        return KOKORO_OK;
    return kk_bench_sample(r, lane, text, round, err);
}

/* One sample of each way on each text, that which decides first. */
static int take_round(kk_run_state *r, int index, kokoro_error *err)
{
    size_t order[KK_BENCH_MAX_WAYS];
    int status = KOKORO_OK;
    const size_t n_texts = r->result->n_texts;
    for (size_t k = 0; k < n_texts; k++) {
        const size_t t = (r->result->deciding_text + k) % n_texts;
        kk_plan_shuffle(order, r->n_lanes, &r->seed);
        if (index + r->plan.n_warm_ups == 0)
            put_reference_first(r, order);
        for (size_t i = 0; status == KOKORO_OK && i < r->n_lanes; i++)
            status =
                sample_lane(r, &r->lanes[order[i]], t, (unsigned)(r->plan.n_warm_ups + index), err);
    }
    return status;
}

/* The way that leads on the text that decides; NULL when none was measured. */
static const kk_bench_way *leader(const kk_bench_result *result)
{
    const kk_bench_way *best = NULL;
    double best_s = 0.0;
    for (size_t i = 0; i < result->n_ways; i++) {
        const kk_samples *samples = &result->ways[i].timings[result->deciding_text].inference_s;
        if (result->ways[i].failure == NULL && samples->n > 0 &&
            (best == NULL || samples->values[0] < best_s)) {
            best = &result->ways[i];
            best_s = samples->values[0];
        }
    }
    return best;
}

/* The leader's rival with half of its threads joins in. */
static int add_half(kk_run_state *r, kokoro_error *err)
{
    kk_bench_result *result = r->result;
    const kk_bench_way *best = leader(result);
    int status = KOKORO_OK;
    if (best == NULL || best->way.n_threads < 2 || r->is_over || r->request->options->n_threads > 0)
        return KOKORO_OK;
    kk_bench_way *way = &result->ways[result->n_ways];
    *way = (kk_bench_way){.way = best->way, .execution_provider = "", .version = ""};
    way->way.n_threads /= 2;
    way->placement = "";
    result->n_ways++;
    r->has_half = true;
    kk_lane *lane = &r->lanes[r->n_lanes++];
    *lane = (kk_lane){.way = way, .child = KK_CHILD_INIT};
    if (!kk_bench_may_load(r, lane)) /* finish() takes it away */
        return KOKORO_OK;
    status = kk_bench_open_lane(r, lane, err);
    for (size_t t = 0; status == KOKORO_OK && t < result->n_texts; t++)
        status = warm_up_lane(r, lane, t, 0, err);
    return status;
}

/* It hangs on the model and the runtime alone: a rival with other threads has the same. */
static const char *known_placement(const kk_bench_result *result, const kk_way *way)
{
    for (size_t i = 0; i < result->n_ways; i++) {
        const kk_bench_way *other = &result->ways[i];
        if (strcmp(other->way.provider, way->provider) == 0 && other->placement != NULL &&
            other->placement[0] != '\0')
            return other->placement;
    }
    return NULL;
}

/* After all samples, of the runtime that can tell: it means loading once more. In a full run the
 * time between the end of the sampling and that of the run is for it; a quick one has none. */
static void ask_placement(kk_run_state *r)
{
    const bool is_quick = r->plan.mode == KK_BENCH_QUICK;
    const double until_s = is_quick ? r->plan.budget_s : r->plan.end_s;
    for (size_t i = 0; i < r->n_lanes && !r->is_over; i++) {
        kk_lane *lane = &r->lanes[i];
        const char *known = known_placement(r->result, &lane->way->way);
        bool is_cut;
        const double load_s = 1.0 + 3.0 * lane->way->load_ms / 1e3;
        if (!lane->is_open || strcmp(lane->way->way.provider, "onnxruntime") != 0)
            continue;
        if (known != NULL)
            lane->way->placement = known;
        else if (kk_bench_elapsed_s(r) + load_s < until_s)
            kk_lane_place(
                lane, &r->context,
                kk_bench_cut_limit_s(r, lane, kk_plan_limit_s(load_s, r->slowness), &is_cut));
    }
}

static int run_lanes(kk_run_state *r, bool adds_half, kokoro_error *err)
{
    adds_half = adds_half && r->plan.tries_half && r->plan.n_runs > 1;
    int status = open_lanes(r, true, err);
    if (status == KOKORO_OK)
        status = warm_up(r, err);
    for (int i = 0; status == KOKORO_OK && i < r->plan.n_runs && !r->is_over; i++) {
        status = take_round(r, i, err);
        if (status == KOKORO_OK && i == 0 && adds_half)
            status = add_half(r, err);
    }
    if (status == KOKORO_OK)
        ask_placement(r);
    return status;
}

/* They go together, not one after the other; who takes long to give its memory back has nothing
 * left to tell, and is ended when the run's time is over. */
static void close_lanes(kk_run_state *r)
{
    static const double behind_the_end_s = 0.5;
    const double left_s = r->plan.end_s + behind_the_end_s - kk_bench_elapsed_s(r);
    const double until_s = kk_now_s() + fmax(0.0, fmin(KK_CHILD_PATIENCE_S, left_s));
    for (size_t i = 0; i < r->n_lanes; i++)
        kk_spawn_close(&r->lanes[i].child.to);
    for (size_t i = 0; i < r->n_lanes; i++) {
        r->away_s += r->lanes[i].child.away_s;
        r->lanes[i].child.away_s = 0.0;
        kk_lane_close_within(&r->lanes[i], until_s - kk_now_s());
    }
    r->n_lanes = 0;
}

/* Where native in f32 is none of the ways, it speaks the texts all the same, for comparison. Where
 * it cannot, the quality stays unknown. */
static int speak_reference(kk_run_state *r, kokoro_error *err)
{
    kk_bench_way way = {.way = {"native", "f32", r->result->ways[0].way.n_threads},
                        .execution_provider = "",
                        .version = "",
                        .placement = ""};
    for (size_t i = 0; i < r->result->n_ways; i++) {
        if (kk_bench_is_reference(&r->result->ways[i].way))
            return KOKORO_OK;
    }
    const bool was_over = r->is_over;
    r->lanes[0] = (kk_lane){.way = &way, .child = KK_CHILD_INIT};
    r->n_lanes = 1;
    int status = kk_bench_open_lane(r, &r->lanes[0], err);
    for (size_t t = 0; status == KOKORO_OK && t < r->result->n_texts; t++)
        status = warm_up_lane(r, &r->lanes[0], t, 0, err);
    kk_bench_note_pace(r, &r->lanes[0]);
    close_lanes(r);
    if (!r->result->is_interrupted)
        r->is_over = was_over;
    return status;
}

/* The ways of each group take turns with each other; all of them, where memory is enough. */
static int run_groups(kk_run_state *r, kokoro_error *err)
{
    size_t group[KK_BENCH_MAX_WAYS];
    double need_mb[KK_BENCH_MAX_WAYS];
    kk_bench_result *result = r->result;
    const size_t n_planned = result->n_ways;
    for (size_t i = 0; i < n_planned; i++)
        need_mb[i] = kk_plan_guess_mb(&result->ways[i].way);
    /* A part stays free for everything else. */
    const size_t n_groups = kk_plan_groups(need_mb, n_planned, 0.8 * kk_available_mb(), group);
    result->n_groups = n_groups;
    const double budget_s = r->plan.budget_s, end_s = r->plan.end_s;
    int status = KOKORO_OK;
    size_t first = 0;
    for (size_t g = 0; status == KOKORO_OK && g < n_groups && !r->is_over; g++) {
        const size_t n_before = result->n_ways;
        size_t n = 0;
        for (size_t i = 0; i < n_planned; i++)
            n += group[i] == g;
        for (size_t i = 0; i < n; i++)
            r->lanes[i] = (kk_lane){.way = &result->ways[first + i], .child = KK_CHILD_INIT};
        r->n_lanes = n;
        r->plan.budget_s = budget_s * (double)(g + 1) / (double)n_groups;
        r->plan.end_s = end_s * (double)(g + 1) / (double)n_groups;
        status = run_lanes(r, g + 1 == n_groups, err);
        close_lanes(r);
        first += n - (n_before > result->n_ways ? n_before - result->n_ways : 0);
    }
    r->plan.budget_s = budget_s;
    r->plan.end_s = end_s;
    return status;
}

static bool is_entered(const kk_bench_result *result, const kk_way *way)
{
    for (size_t i = 0; i < result->n_left_out; i++) {
        if (kk_way_equal(&result->left_out[i].way, way))
            return true;
    }
    return false;
}

/* Ways that have no sample though nothing failed go over to those left out. */
static int take_out_unmeasured(kk_run_state *r, kokoro_error *err)
{
    kk_bench_result *result = r->result;
    int status = KOKORO_OK;
    for (size_t i = 0; status == KOKORO_OK && i < result->n_ways;) {
        kk_bench_way *way = &result->ways[i];
        if (way->failure != NULL || way->timings[result->deciding_text].inference_s.n > 0) {
            i++;
            continue;
        }
        const kk_lane lane = {.way = way, .is_open = true};
        if (!is_entered(result, &way->way))
            status = kk_bench_leave_out(r, &lane, err);
        memmove(way, way + 1, (result->n_ways - i - 1) * sizeof(*way));
        result->n_ways--;
    }
    return status;
}

/* Ways that were never reached get a reason; the rival that came later just goes. */
static int finish(kk_run_state *r, kokoro_error *err)
{
    kk_bench_result *result = r->result;
    const kk_bench_way *last = &result->ways[result->n_ways - 1];
    if (r->has_half && last->failure == NULL &&
        last->timings[result->deciding_text].inference_s.n == 0)
        result->n_ways--;
    const int status = r->is_over ? KOKORO_OK : take_out_unmeasured(r, err);
    result->n_warm_ups = r->plan.n_warm_ups;
    result->n_runs = 0;
    for (size_t i = 0; i < result->n_ways; i++) {
        kk_bench_way *way = &result->ways[i];
        const int n = (int)way->timings[result->deciding_text].inference_s.n;
        result->n_runs = n > result->n_runs ? n : result->n_runs;
        if (n == 0 && way->failure == NULL)
            way->failure = KK_BENCH_NOT_REACHED;
    }
    return status;
}

static int note_machine(kk_run_state *r, const kk_machine_time *begin, kokoro_error *err)
{
    char text[256];
    kk_machine_time end;
    kk_bench_result *result = r->result;
    kk_machine_time_read(&end);
    result->duration_s = end.wall_s - begin->wall_s;
    result->load_after = kk_load_average();
    kk_machine_busy_text(kk_machine_others(begin, &end), result->load_before,
                         result->hardware.n_logical, text, sizeof(text));
    result->busy = kk_arena_strdup(&result->arena, text);
    return result->busy != NULL ? KOKORO_OK : kk_fail_memory(err);
}

static kk_run_state start_state(kk_bench_result *result, const kk_bench_request *request,
                                double start_s)
{
    kk_run_state r = {.result = result,
                      .request = request,
                      .plan = request->plan,
                      .context = {.options = request->options,
                                  .command = request->command,
                                  .voice = request->voice,
                                  .watch = request->watch,
                                  .arena = &result->arena},
                      .sounds = KK_ARENA_INIT,
                      .words = KK_BUF_INIT,
                      .start_s = start_s,
                      .slowness = 1.0,
                      .pace = 1.0};
    const char *mask = request->options->cpu_mask;
    const char *set = mask != NULL && mask[0] != '\0' ? mask : result->hardware.instruction_set;
    if (strcmp(set, "ref") == 0) /* plain C takes some thirty times as long as vectors */
        r.slowness = 30.0;
    r.seed = (uint64_t)(kk_wall_s() * 1e6) | 1U;
    return r;
}

static void end_state(kk_run_state *r)
{
    close_lanes(r);
    kk_arena_fini(&r->sounds);
    kk_buf_fini(&r->words);
}

int kk_bench_run(kk_bench_result *result, const kk_bench_request *request, kokoro_error *err)
{
    kk_machine_time begin;
    const double start_s = kk_now_s();
    kk_machine_time_read(&begin);
    result->started_at_s = kk_wall_s();
    result->load_before = kk_load_average();
    int status = kk_bench_prepare(result, request, err);
    if (status == KOKORO_OK)
        status = kk_fingerprint_make(&result->fingerprint, request->options, err);
    if (status != KOKORO_OK)
        return status;
    kk_run_state r = start_state(result, request, start_s);
    status = speak_reference(&r, err);
    if (status == KOKORO_OK && !r.is_over)
        status = run_groups(&r, err);
    end_state(&r);
    const int finished = finish(&r, err);
    status = status == KOKORO_OK ? finished : status;
    return status == KOKORO_OK ? note_machine(&r, &begin, err) : status;
}

int kk_bench_validate(kk_bench_result *result, const kk_bench_request *request, kokoro_error *err)
{
    kk_bench_request each = *request;
    each.continues_on_error = true;
    each.plan.budget_s = each.plan.end_s = (double)INFINITY;
    int status = kk_bench_prepare(result, &each, err);
    if (status != KOKORO_OK)
        return status;
    kk_run_state r = start_state(result, &each, kk_now_s());
    for (size_t i = 0; status == KOKORO_OK && i < result->n_ways && !r.is_over; i++) {
        r.lanes[0] = (kk_lane){.way = &result->ways[i], .child = KK_CHILD_INIT};
        r.n_lanes = 1;
        status = open_lanes(&r, false, err);
        i -= r.n_lanes == 0; /* it was one that is there already, and is gone */
        close_lanes(&r);
    }
    end_state(&r);
    return status;
}
