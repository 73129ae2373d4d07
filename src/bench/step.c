/* step.c - one step of a run: a load, a warm-up, a timed inference. */
#include "bench/run_state.h"

#include "base/clock.h"
#include "base/status.h"
#include "bench/texts.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { MAX_RETAKES = 20, MAX_RELOADS = 3 };

/* Spinning threads of a runtime that has just finished calm down in this time. */
static const struct timespec pause_between = {.tv_nsec = 20 * 1000 * 1000};

const char *kk_bench_step_text(enum kk_bench_step_kind kind)
{
    static const char *const texts[] = {
#define KK_X(name, text) text,
        KK_BENCH_STEP_MAP(KK_X)
#undef KK_X
    };
    return texts[kind];
}

bool kk_bench_is_reference(const kk_way *way)
{
    return strcmp(way->provider, "native") == 0 && strcmp(way->precision, "f32") == 0;
}

double kk_bench_elapsed_s(const kk_run_state *r)
{
    double away_s = r->away_s;
    for (size_t i = 0; i < r->n_lanes; i++)
        away_s += r->lanes[i].child.away_s;
    return kk_now_s() - r->start_s - away_s;
}

double kk_bench_expected_s(const kk_run_state *r, const kk_lane *lane, size_t text)
{
    const double n_chars = 10.0 + (double)r->result->texts[text].n_chars;
    if (lane->expected_s[text] > 0.0)
        return lane->expected_s[text];
    for (size_t i = 0; i < r->result->n_texts; i++) {
        if (lane->expected_s[i] > 0.0)
            return lane->expected_s[i] * n_chars / (10.0 + (double)r->result->texts[i].n_chars);
    }
    return r->pace * kk_plan_guess_s(&lane->way->way, r->result->texts[text].n_chars);
}

/* Steps and seconds to come in this group, not more than the budget leaves. */
static void look_ahead(const kk_run_state *r, size_t *n_left, double *left_s)
{
    double sum_s = 0.0;
    *n_left = 0;
    for (size_t i = 0; i < r->n_lanes; i++) {
        const kk_lane *lane = &r->lanes[i];
        if (lane->way->failure != NULL || lane->is_left_out)
            continue;
        if (!lane->is_open) {
            ++*n_left;
            sum_s += 1.0;
        }
        for (size_t t = 0; t < r->result->n_texts; t++) {
            const size_t n_all = (size_t)r->plan.n_warm_ups + (size_t)r->plan.n_runs;
            const size_t n_had = lane->n_spoken[t];
            if (n_had >= n_all || lane->is_skipped[t])
                continue;
            *n_left += n_all - n_had;
            sum_s += (double)(n_all - n_had) * kk_bench_expected_s(r, lane, t);
        }
    }
    *left_s = fmin(sum_s, fmax(0.0, r->plan.budget_s - kk_bench_elapsed_s(r)));
}

void kk_bench_tell(kk_run_state *r, enum kk_bench_step_kind kind, const kk_way *way, size_t text,
                   double value_s, const char *message)
{
    kk_bench_progress progress = {.kind = kind,
                                  .way = way,
                                  .text =
                                      text < r->result->n_texts ? r->result->texts[text].name : "",
                                  .message = message,
                                  .value_s = value_s};
    if (r->request->progress == NULL)
        return;
    look_ahead(r, &progress.n_all, &progress.left_s);
    progress.n_done = r->n_done;
    progress.n_all += r->n_done;
    progress.elapsed_s = kk_bench_elapsed_s(r);
    r->request->progress(r->request->progress_user, &progress);
}

/* What the failure of a way means for the run. */
static int take_failure(kk_run_state *r, kk_lane *lane, int status, const kokoro_error *failure,
                        kokoro_error *err)
{
    if (status == KOKORO_CANCELLED || kk_watch_stopped(r->request->watch)) {
        r->result->is_interrupted = true;
        r->is_over = true;
        return KOKORO_OK;
    }
    if (status == KOKORO_NO_MEMORY)
        return kk_fail_memory(err);
    kk_lane_close(lane);
    if (lane->is_left_out) /* what it has stays; finish() looks whether that is anything */
        return KOKORO_OK;
    lane->way->failure = kk_arena_strdup(&r->result->arena, failure->message);
    if (lane->way->failure == NULL)
        return kk_fail_memory(err);
    kk_bench_tell(r, KK_BENCH_STEP_FAILURE, &lane->way->way, SIZE_MAX, 0.0, lane->way->failure);
    r->is_over = r->is_over || !r->request->continues_on_error;
    return KOKORO_OK;
}

/* A failure of a way is none when the time that was left for it was over meanwhile. */
static void note_late(const kk_run_state *r, kk_lane *lane, bool is_cut, double until_s, int status)
{
    static const double inexact_s = 0.2;
    lane->is_left_out =
        is_cut && status == KOKORO_PROVIDER && kk_bench_elapsed_s(r) > until_s - inexact_s;
}

/* A load in which this process was stopped is made again. */
int kk_bench_open_lane(kk_run_state *r, kk_lane *lane, kokoro_error *err)
{
    kokoro_error failure;
    const bool is_heavy = strcmp(lane->way->way.provider, "native") != 0;
    const double longest_s = kk_plan_limit_s(is_heavy ? 6.0 : 4.0, r->slowness);
    for (int i = 1;; i++) {
        bool is_cut;
        const double limit_s = kk_bench_cut_limit_s(r, lane, longest_s, &is_cut);
        const double until_s = kk_bench_elapsed_s(r) + limit_s;
        const unsigned continued = kk_watch_continued(r->request->watch);
        const int status = kk_lane_open(lane, &r->context, limit_s, &failure);
        note_late(r, lane, is_cut, until_s, status);
        if (status != KOKORO_OK)
            return take_failure(r, lane, status, &failure, err);
        if (kk_watch_continued(r->request->watch) == continued || i == MAX_RELOADS)
            break;
        r->result->n_discarded++;
        r->away_s += lane->child.away_s;
        kk_lane_close(lane);
    }
    r->n_done++;
    kk_bench_tell(r, KK_BENCH_STEP_LOAD, &lane->way->way, SIZE_MAX, lane->way->load_ms / 1e3, "");
    return KOKORO_OK;
}

/* Samples during which this process was stopped are thrown away and taken again. */
static int speak(kk_run_state *r, kk_lane *lane, size_t text, bool pieces, bool keep,
                 kk_lane_sample *sample, kokoro_error *err)
{
    kk_lane_request request = {.text = kk_buf_str(&r->words), .pieces = pieces, .keep = keep};
    const double longest_s = kk_bench_longest_s(r, lane, text);
    (void)nanosleep(&pause_between, NULL);
    for (int i = 0;; i++) {
        bool is_cut;
        request.limit_s = kk_bench_cut_limit_s(r, lane, longest_s, &is_cut);
        const double until_s = kk_bench_elapsed_s(r) + request.limit_s;
        const unsigned continued = kk_watch_continued(r->request->watch);
        const int status = kk_lane_speak(lane, &r->context, &request, sample, err);
        note_late(r, lane, is_cut, until_s, status);
        if (status != KOKORO_OK || kk_watch_continued(r->request->watch) == continued ||
            i == MAX_RETAKES)
            return status;
        r->result->n_discarded++;
    }
}

static int add_value(kk_run_state *r, kk_samples *samples, double value, kokoro_error *err)
{
    const size_t room = (size_t)r->plan.n_runs;
    if (samples->values == NULL)
        samples->values = kk_arena_calloc(&r->result->arena, room, sizeof(*samples->values));
    if (samples->values == NULL)
        return kk_fail_memory(err);
    if (samples->n < room)
        samples->values[samples->n++] = value;
    return KOKORO_OK;
}

/* What every whole inference tells. */
static void note_sample(kk_run_state *r, kk_lane *lane, size_t text, const kk_lane_sample *sample)
{
    kk_bench_timing *timing = &lane->way->timings[text];
    if (timing->first_s <= 0.0)
        timing->first_s = sample->model_s;
    if (lane->way->first_inference_s <= 0.0)
        lane->way->first_inference_s = sample->model_s;
    lane->n_spoken[text]++;
    lane->audio_sum_s[text] += sample->audio_s;
    lane->expected_s[text] = sample->model_s;
    if (kk_bench_is_reference(&lane->way->way))
        r->reference_s[text] = sample->model_s;
    timing->audio_s = lane->audio_sum_s[text] / (double)lane->n_spoken[text];
    timing->n_chunks = sample->n_chunks;
    lane->way->resident_mb = sample->resident_mb;
    lane->way->peak_mb = fmax(lane->way->peak_mb, sample->peak_mb);
}

/* The sound of a sample becomes the reference, or is compared with it where there is one. */
static int judge_sound(kk_run_state *r, kk_lane *lane, size_t text, const kk_lane_sample *sample,
                       kokoro_error *err)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_bench_sound sound;
    kk_bench_distance distance = {.n_tokens = 0};
    kk_bench_quality *quality = &lane->way->quality;
    quality->is_reference = kk_bench_is_reference(&lane->way->way);
    if (quality->is_reference && r->reference[text].n_samples == 0) {
        const int status = kk_lane_sound(lane, sample, &r->sounds, &r->reference[text], err);
        if (status != KOKORO_OK)
            return status;
    }
    if (r->reference[text].n_samples == 0)
        return KOKORO_OK;
    int status = kk_lane_sound(lane, sample, &arena, &sound, err);
    if (status == KOKORO_OK)
        status = kk_bench_distance_of(&r->reference[text], &sound, &distance, err);
    kk_arena_fini(&arena);
    if (status != KOKORO_OK)
        return status;
    lane->n_compared++;
    lane->distance_sum_db += distance.log_mel_db;
    quality->is_known = true;
    quality->n_tokens += distance.n_tokens;
    quality->n_durations_differ += distance.n_durations_differ;
    quality->log_mel_db = lane->distance_sum_db / (double)lane->n_compared;
    quality->worst_log_mel_db = fmax(quality->worst_log_mel_db, distance.log_mel_db);
    return KOKORO_OK;
}

/* A whole inference in the words that are there; the first of a text is judged by its sound. */
static int speak_whole(kk_run_state *r, kk_lane *lane, size_t text, kk_lane_sample *sample,
                       kokoro_error *err)
{
    const bool is_first = lane->n_spoken[text] == 0;
    int status = speak(r, lane, text, false, is_first, sample, err);
    if (status != KOKORO_OK)
        return status;
    note_sample(r, lane, text, sample);
    r->n_done++;
    return is_first ? judge_sound(r, lane, text, sample, err) : KOKORO_OK;
}

static int choose_words(kk_run_state *r, size_t text, unsigned round, kokoro_error *err)
{
    kk_bench_text_round(&r->result->texts[text], round, &r->words);
    return r->words.failed ? kk_fail_memory(err) : KOKORO_OK;
}

int kk_bench_warm_up(kk_run_state *r, kk_lane *lane, size_t text, unsigned round, kokoro_error *err)
{
    kk_lane_sample sample;
    kokoro_error failure;
    int status = choose_words(r, text, round, err);
    if (status != KOKORO_OK)
        return status;
    status = speak_whole(r, lane, text, &sample, &failure);
    if (status != KOKORO_OK)
        return take_failure(r, lane, status, &failure, err);
    kk_bench_tell(r, KK_BENCH_STEP_WARM_UP, &lane->way->way, text, sample.model_s, "");
    return KOKORO_OK;
}

/* The first sound; a provider that gives no pieces has made the whole then, in *sample. */
static int sample_first_audio(kk_run_state *r, kk_lane *lane, size_t text, kk_lane_sample *sample,
                              kokoro_error *err)
{
    int status = speak(r, lane, text, true, false, sample, err);
    if (status != KOKORO_OK)
        return status;
    lane->gives_no_piece[text] = !sample->is_partial;
    if (!sample->is_partial) {
        note_sample(r, lane, text, sample);
        r->n_done++;
        return KOKORO_OK;
    }
    kk_bench_tell(r, KK_BENCH_STEP_FIRST_AUDIO, &lane->way->way, text, sample->first_audio_s, "");
    return add_value(r, &lane->way->timings[text].first_audio_s, sample->first_audio_s, err);
}

static int take_sample(kk_run_state *r, kk_lane *lane, size_t text, kokoro_error *err)
{
    kk_lane_sample sample = {.is_partial = true};
    kk_bench_timing *timing = &lane->way->timings[text];
    int status = KOKORO_OK;
    if (lane->n_spoken[text] > 0 && !lane->gives_no_piece[text])
        status = sample_first_audio(r, lane, text, &sample, err);
    if (status == KOKORO_OK && sample.is_partial)
        status = speak_whole(r, lane, text, &sample, err);
    if (status != KOKORO_OK)
        return status;
    kk_bench_tell(r, KK_BENCH_STEP_INFERENCE, &lane->way->way, text, sample.model_s, "");
    status = add_value(r, &timing->inference_s, sample.model_s, err);
    if (status == KOKORO_OK && lane->gives_no_piece[text])
        status = add_value(r, &timing->first_audio_s, sample.first_audio_s, err);
    return status;
}

int kk_bench_sample(kk_run_state *r, kk_lane *lane, size_t text, unsigned round, kokoro_error *err)
{
    kokoro_error failure;
    int status = choose_words(r, text, round, err);
    if (status != KOKORO_OK)
        return status;
    status = take_sample(r, lane, text, &failure);
    return status == KOKORO_OK ? KOKORO_OK : take_failure(r, lane, status, &failure, err);
}
