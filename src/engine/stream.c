/*
 * stream.c - the model's turn and the way of its sound to the caller: whole chunks, or pieces whose
 * lengths follow what the listener needs.
 *
 * A listener plays what he has at the speed of time, so that it is known when he runs dry; the
 * schedule serves by that, and the next piece is as long as can be made well before. (Pieces cost
 * more the shorter they are: each computes some 0.3 s of sound beside its own.)
 */
#include "engine/speech.h"

#include "audio/audio.h"
#include "base/clock.h"
#include "base/status.h"
#include "engine/piece_length.h"

#include <math.h>

/* Quieter is silence before the first sound: what the voices put there stays 60 dB under full
 * scale. Of it so much is kept that a soft consonant is not cut into. */
static const float SILENCE = 1e-3f;
enum { LEAD = KOKORO_SAMPLE_RATE_HZ * 20 / 1000 };

/* A listener is pressed when less is left to him than this part of a round of all listeners. With
 * 0 eight listeners on two cores ran dry now and then, with 1 the first sounds came a third later.
 */
static const double ROUND_SHARE = 0.6;

/* One chunk on its way from the model to the caller. */
typedef struct delivery {
    kk_speech *s;
    size_t index;
    double away_s;   /* of this inference: spent in the caller's function, or standing aside */
    bool holds_turn; /* at the model */
    bool is_cancelled;
    double asked_s; /* when the piece in the making was begun, */
    double asked_away_s;
    double piece_s; /* how long it will be, what is made beside it included; 0: not known */
} delivery;

static bool has_listener(const kk_speech *s)
{
    return s->request->first_sound_within_s > 0.0;
}

/* --- the turn --- */

static kk_piece_load load_of(const kk_schedule_view *view)
{
    return (kk_piece_load){view->n_listeners, view->sound_cost_s / view->n_threads};
}

/* What the next sound of this request will take at least, on one thread; or, where many listen, the
 * time after which it comes to its turn: a share of a round. */
static double next_cost_s(const kk_speech *s, size_t index, bool begins_chunk)
{
    kk_schedule_view view;
    kk_schedule_read(&s->engine->schedule, &view);
    const kk_piece_load load = load_of(&view);
    double cost_s = kk_piece_least_s(&load, begins_chunk) * view.sound_cost_s;
    if (begins_chunk)
        cost_s += (double)s->chunks.items[index].n_phonemes * view.text_cost_s;
    return cost_s * fmax(1.0, ROUND_SHARE * view.n_listeners / view.n_at_once);
}

static bool take_turn(delivery *d, bool begins_chunk)
{
    kk_speech *s = d->s;
    const double asked_s = kk_now_s();
    if (has_listener(s)) {
        s->turn.kind =
            s->has_sounded || s->request->buffered_s > 0.0 ? KK_TURN_PLAYING : KK_TURN_NEW;
        s->turn.due_s =
            s->turn.kind == KK_TURN_NEW ? s->start_s + s->request->first_sound_within_s : s->dry_s;
        s->turn.cost_s = next_cost_s(s, d->index, begins_chunk);
    }
    d->holds_turn = kk_schedule_take(&s->engine->schedule, &s->turn);
    d->is_cancelled = !d->holds_turn;
    s->stats->wait_ms += 1e3 * (kk_now_s() - asked_s);
    return d->holds_turn;
}

static void pass_turn(delivery *d)
{
    if (d->holds_turn)
        kk_schedule_pass(&d->s->engine->schedule, &d->s->turn);
    d->holds_turn = false;
}

/* Asked all the time while the model runs: others may be more pressed, the caller may want it
 * to stop. */
static bool watch(void *user)
{
    delivery *d = user;
    kk_speech *s = d->s;
    if (d->is_cancelled)
        return true;
    if (d->holds_turn && s->engine->model->info.is_concurrent) {
        const double away_s = kk_schedule_yield(&s->engine->schedule, &s->turn);
        d->holds_turn = away_s >= 0.0;
        d->is_cancelled = !d->holds_turn;
        d->away_s += away_s > 0.0 ? away_s : 0.0;
        s->stats->wait_ms += away_s > 0.0 ? 1e3 * away_s : 0.0;
    }
    return d->is_cancelled ||
           (s->request->cancelled != NULL && s->request->cancelled(s->request->cancelled_user));
}

/* --- pieces --- */

/* Of one thread, since the piece in the making was begun. */
static double thread_s(const delivery *d)
{
    const double elapsed_s = kk_now_s() - d->asked_s - (d->away_s - d->asked_away_s);
    return elapsed_s * (double)atomic_load(&d->s->engine->schedule.n_each);
}

static kk_piece_wish next_piece(void *user, size_t n_made, size_t n_total)
{
    delivery *d = user;
    kk_speech *s = d->s;
    kk_schedule *schedule = &s->engine->schedule;
    if (n_made == 0)
        kk_schedule_learn_text(schedule, s->chunks.items[d->index].n_phonemes, thread_s(d));
    kk_schedule_view view;
    kk_schedule_read(schedule, &view);
    const int n_pressed = view.n_pressed > view.n_at_once ? view.n_pressed : view.n_at_once;
    d->asked_s = kk_now_s();
    d->asked_away_s = d->away_s;
    const kk_piece_need need = {.load = load_of(&view),
                                .begins_chunk = n_made == 0,
                                .is_first = s->turn.kind == KK_TURN_NEW,
                                .time_s = s->dry_s - d->asked_s,
                                .cost_s =
                                    view.sound_cost_s / view.n_each * n_pressed / view.n_at_once,
                                .rest_s = (double)(n_total - n_made) / KOKORO_SAMPLE_RATE_HZ};
    const kk_piece_length length = kk_piece_length_for(&need);
    d->piece_s = length.made_s;
    return (kk_piece_wish){(size_t)(length.length_s * KOKORO_SAMPLE_RATE_HZ), length.refines};
}

/* --- the way to the caller --- */

/* The listener has n samples more to hear. */
static void add_sound(kk_speech *s, size_t n)
{
    const double now_s = kk_now_s();
    if (s->dry_s < now_s)
        s->dry_s = now_s;
    s->dry_s += (double)n / KOKORO_SAMPLE_RATE_HZ;
    s->has_sounded = true;
}

/* A slow listener to pieces holds up nobody: meanwhile the others have the model. */
static int give(delivery *d, const kokoro_chunk *chunk)
{
    kk_speech *s = d->s;
    const double begin_s = kk_now_s();
    const bool lends = d->holds_turn && s->engine->model->info.is_concurrent;
    if (lends)
        pass_turn(d);
    const bool is_end = chunk->ends_chunk && chunk->index + 1 == chunk->n_chunks;
    int stop = 0;
    if (chunk->n_samples > 0 || chunk->n_words > 0 || is_end) {
        if (!s->has_sounded)
            s->stats->first_audio_ms = 1e3 * (begin_s - s->start_s);
        add_sound(s, chunk->n_samples);
        s->stats->audio_s += (double)chunk->n_samples / KOKORO_SAMPLE_RATE_HZ;
        stop = s->fn(s->user, chunk);
    }
    if (lends && stop == 0 && !chunk->ends_chunk && !take_turn(d, false))
        stop = 1;
    d->away_s += kk_now_s() - begin_s;
    return stop;
}

/* Samples of silence before the first sound. */
static size_t lead(const float *samples, size_t n)
{
    size_t i = 0;
    while (i < n && fabsf(samples[i]) <= SILENCE)
        i++;
    return i == n ? n : i > LEAD ? i - LEAD : 0;
}

static kk_seam seam_of(const delivery *d, bool is_first, bool is_last)
{
    const kk_chunks *chunks = &d->s->chunks;
    const bool begins = d->index == 0, ends = d->index + 1 == chunks->n;
    int before = d->s->request->seam_before, after = d->s->request->seam_after;
    if (!begins)
        before = chunks->items[d->index - 1].ends_sentence ? KOKORO_SEAM_SENTENCE : KOKORO_SEAM_CUT;
    if (!ends)
        after = chunks->items[d->index].ends_sentence ? KOKORO_SEAM_SENTENCE : KOKORO_SEAM_CUT;
    return (kk_seam){.before = is_first && before != KOKORO_SEAM_NONE,
                     .after = is_last && after != KOKORO_SEAM_NONE,
                     .cut_before = is_first && before == KOKORO_SEAM_CUT,
                     .cut_after = is_last && after == KOKORO_SEAM_CUT};
}

/* A piece of a chunk, or all of it, joined to its neighbours and given to the caller. */
static int deliver(void *user, const float *samples, size_t n_samples, bool is_first, bool is_last,
                   const kk_pcm *whole)
{
    delivery *d = user;
    kk_speech *s = d->s;
    const kk_seam seam = seam_of(d, is_first, is_last);
    const size_t offset = (size_t)(samples - whole->samples);
    size_t start = 0, n = 0;
    if (d->piece_s > 0.0 && !is_last && !is_first)
        kk_schedule_learn_sound(&s->engine->schedule, d->piece_s, thread_s(d));
    kk_audio_join(whole->samples + offset, n_samples, seam, &start, &n);
    if (s->request->skip_silence && !s->has_sounded) {
        const size_t silent = lead(samples + start, n);
        start += silent;
        n -= silent;
    }
    if (is_last) {
        s->stats->n_phonemes += s->chunks.items[d->index].n_phonemes;
        s->stats->n_chunks++;
    }
    /* Where nothing is out yet, what comes from here on is all. */
    const bool knows_total =
        s->chunks.n == 1 && !s->has_sounded && s->request->seam_after != KOKORO_SEAM_CUT;
    kokoro_chunk out = {.samples = samples + start,
                        .n_samples = n,
                        .durations = whole->durations,
                        .n_durations = whole->n_durations,
                        .index = d->index,
                        .n_chunks = s->chunks.n,
                        .n_total = knows_total ? whole->n_samples - offset - start : 0,
                        .begins_chunk = is_first,
                        .ends_chunk = is_last};
    const kk_word_window window = {
        &s->chunks.items[d->index], whole, offset + start, n, is_first, is_last};
    kk_words_hear(&s->words, &window, &out);
    return give(d, &out);
}

/* Run the model on a chunk when it is this request's turn; with pieces they go out meanwhile. */
static int infer(delivery *d, kk_arena *arena, const kk_chunk *chunk, kk_pcm *pcm,
                 kokoro_error *err)
{
    float style[KK_STYLE_SIZE];
    kk_speech *s = d->s;
    kk_model *model = s->engine->model;
    const bool pieces = s->request->pieces;
    const kk_infer_control control = {.cancelled = watch,
                                      .cancelled_user = d,
                                      .piece = pieces ? deliver : NULL,
                                      .piece_user = d,
                                      .next_piece = pieces && has_listener(s) ? next_piece : NULL,
                                      .n_threads = &s->engine->schedule.n_each};
    kk_blend_style(s->engine->voices, &s->voice, chunk->n_phonemes, style);
    if (!take_turn(d, true))
        return kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    const double start_s = kk_now_s();
    d->asked_s = start_s;
    int status = model->provider->infer(model, arena, chunk->ids, chunk->n_phonemes + 2, style,
                                        (float)s->request->speed, &control, pcm, err);
    s->stats->model_ms += 1e3 * (kk_now_s() - start_s - d->away_s);
    pass_turn(d);
    return status;
}

static void prepare_turn(kk_speech *s)
{
    s->turn.came_s = s->start_s;
    s->turn.group = s->request->group;
    s->turn.cancelled = s->request->cancelled;
    s->turn.user = s->request->cancelled_user;
    s->dry_s = s->start_s + s->request->buffered_s;
}

int kk_speak_chunk(kk_speech *s, size_t index, kokoro_error *err)
{
    kk_arena arena = KK_ARENA_INIT; /* of this chunk, so that a long text needs no more memory than
                                       a short one */
    delivery d = {.s = s, .index = index};
    kk_pcm pcm;
    if (index == 0)
        prepare_turn(s);
    int status = infer(&d, &arena, &s->chunks.items[index], &pcm, err);
    if (status == KOKORO_OK && !s->request->pieces &&
        deliver(&d, pcm.samples, pcm.n_samples, true, true, &pcm) != 0)
        status = kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    kk_arena_fini(&arena);
    return status;
}

double kk_pause_s(const kk_speech *s, size_t index)
{
    const kk_chunk *chunk = &s->chunks.items[index];
    const double sentence_s = s->request->sentence_pause_s;
    const double paragraph_s = chunk->ends_paragraph ? s->request->paragraph_pause_s : 0.0;
    if (!chunk->ends_sentence || index + 1 == s->chunks.n)
        return 0.0;
    return paragraph_s > sentence_s ? paragraph_s : sentence_s;
}

int kk_speak_pause(kk_speech *s, size_t index, kokoro_error *err)
{
    enum { PART_LEN = KOKORO_SAMPLE_RATE_HZ / 10 };
    static const float silence[PART_LEN];
    const double pause_s = kk_pause_s(s, index);
    if (pause_s <= 0.0)
        return KOKORO_OK;
    size_t n_left = (size_t)(pause_s * KOKORO_SAMPLE_RATE_HZ + 0.5);
    kk_words_wait(&s->words, n_left);
    add_sound(s, n_left);
    while (n_left > 0) {
        const size_t n = n_left < PART_LEN ? n_left : PART_LEN;
        const kokoro_chunk out = {
            .samples = silence, .n_samples = n, .index = index, .n_chunks = s->chunks.n};
        if (s->fn(s->user, &out) != 0)
            return kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
        n_left -= n;
    }
    return KOKORO_OK;
}
