#include "server/speech/feed_speech.h"

#include "base/clock.h"
#include "base/status.h"
#include "server/speech/speech_queue.h"

static void add_stats(kokoro_stats *sum, const kokoro_stats *part)
{
    if (sum->n_chunks == 0)
        sum->first_audio_ms = part->first_audio_ms;
    sum->audio_s += part->audio_s;
    sum->g2p_ms += part->g2p_ms;
    sum->model_ms += part->model_ms;
    sum->wait_ms += part->wait_ms;
    sum->n_chunks += part->n_chunks;
    sum->n_phonemes += part->n_phonemes;
    for (size_t i = 0; i < KOKORO_N_SOURCES; i++)
        sum->g2p_sources[i] += part->g2p_sources[i];
    sum->unknown_symbols += part->unknown_symbols;
    sum->pauses_s += part->pauses_s;
}

/* Sound that was made and is not over yet, for a listener who began with the first. */
static double buffered_s(const kk_feed_speech *speech)
{
    if (speech->first_s <= 0.0)
        return 0.0;
    double left_s = speech->stats.audio_s - (kk_now_s() - speech->first_s);
    return left_s > 0.0 ? left_s : 0.0;
}

static int on_chunk(void *user, const kokoro_chunk *chunk)
{
    kk_feed_speech *speech = user;
    if (speech->problem.status != KOKORO_OK)
        return -1;
    kk_speech_count_chunk(&speech->count, chunk,
                          speech->stats.model_ms + speech->call_stats.model_ms);
    if (speech->first_s <= 0.0)
        speech->first_s = kk_now_s();
    return speech->chunk(speech->user, chunk);
}

/* The time of the request stands still while its client has nothing to say. */
static int wait_for_text(kk_feed_speech *speech, kk_feed_text *text, kokoro_error *err)
{
    kk_speech_count *count = &speech->count;
    const double before_s = kk_now_s();
    int verdict = speech->next(speech->user, buffered_s(speech), text, err);
    const double waited_s = kk_now_s() - before_s;
    count->arrived_s += waited_s;
    count->queued_s += waited_s;
    count->started_s += waited_s;
    if (count->sound_s > 0.0)
        count->sound_s += waited_s;
    return verdict;
}

/* --- its place among those who speak --- */

static bool never(void *user)
{
    (void)user;
    return false;
}

/* The first time a wait in the queue, which is counted. */
static int take_place(kk_feed_speech *speech)
{
    kk_server *server = speech->count.server;
    kk_speech_count *count = &speech->count;
    const bool is_first = !speech->guest.has_begun;
    if (is_first) {
        speech->guest.kind = (kk_job_kind){.group = speech->speak.group};
        count->queued_s = kk_now_s();
    }
    int status = kk_jobs_enter(server->jobs, &speech->guest, kk_speech_queue_limit(server),
                               speech->speak.cancelled != NULL ? speech->speak.cancelled : never,
                               speech->speak.cancelled_user);
    if (is_first)
        count->started_s = kk_now_s();
    return status;
}

static void give_place(kk_feed_speech *speech)
{
    kk_jobs_leave(speech->count.server->jobs, &speech->guest);
}

void kk_feed_speech_block(void *user, bool is_blocked)
{
    kk_feed_speech *speech = user;
    if (is_blocked && speech->guest.is_in) {
        speech->stands_aside = true;
        give_place(speech);
    } else if (!is_blocked && speech->stands_aside) {
        speech->stands_aside = false;
        (void)take_place(speech); /* it has begun, and gets in */
    }
}

/* --- speaking --- */

/* What the engine puts between two sentences or paragraphs of one call. */
static double seam_pause_s(const kk_feed_speech *speech, const kk_feed_text *text)
{
    const double sentence_s =
        text->seam_before == KOKORO_SEAM_SENTENCE ? speech->speak.sentence_pause_s : 0.0;
    const double paragraph_s = text->begins_paragraph ? speech->speak.paragraph_pause_s : 0.0;
    if (speech->n_calls == 0)
        return 0.0;
    return paragraph_s > sentence_s ? paragraph_s : sentence_s;
}

static int add_pause(kk_feed_speech *speech, double pause_s, kokoro_error *err)
{
    static const float silence[KOKORO_SAMPLE_RATE_HZ / 10];
    size_t n = (size_t)(pause_s * KOKORO_SAMPLE_RATE_HZ + 0.5);
    int stop = 0;
    while (n > 0 && stop == 0) {
        const size_t len = sizeof(silence) / sizeof(silence[0]);
        const kokoro_chunk chunk = {.samples = silence, .n_samples = n < len ? n : len};
        stop = speech->chunk(speech->user, &chunk);
        speech->stats.audio_s += (double)chunk.n_samples / KOKORO_SAMPLE_RATE_HZ;
        n -= chunk.n_samples;
    }
    return stop == 0 ? KOKORO_OK : kk_fail(err, KOKORO_CANCELLED, "the client is gone");
}

/* A text that can be spoken; one of marks or pictures gets no pause before it. */
static void on_accepted(void *user)
{
    kk_feed_speech *speech = user;
    const kokoro_request *request = &speech->speak;
    const double sum_s = speech->pauses_s + speech->pause_s + speech->call_stats.pauses_s;
    if (request->pauses_max_s > 0.0 && sum_s > request->pauses_max_s) {
        (void)kk_fail(&speech->problem, KOKORO_PAUSES,
                      "the pauses between sentences and paragraphs of this text are %.0f seconds "
                      "in all, over the limit of %g; make them shorter, or send the text in parts",
                      sum_s, request->pauses_max_s);
        return;
    }
    if (request->accepted != NULL)
        request->accepted(request->accepted_user);
    (void)add_pause(speech, speech->pause_s, &speech->problem);
    speech->pauses_s = sum_s;
}

static bool must_stop(void *user)
{
    const kk_feed_speech *speech = user;
    const kokoro_request *request = &speech->speak;
    return speech->problem.status != KOKORO_OK ||
           (request->cancelled != NULL && request->cancelled(request->cancelled_user));
}

/* What the listener waits for: the first sound since the first text came, the next since its own.
 */
static double within_s(const kk_feed_speech *speech)
{
    const bool is_first = speech->first_s <= 0.0;
    return kk_speech_due_s(speech->count.server, is_first ? speech->count.arrived_s : kk_now_s());
}

static int speak_text(kk_feed_speech *speech, const kk_feed_text *text, kokoro_error *err)
{
    kokoro_request request = speech->speak;
    const double pause_s = seam_pause_s(speech, text);
    request.text = kk_buf_str(&text->text);
    request.text_len = text->text.len;
    request.seam_before = text->seam_before;
    request.seam_after = text->seam_after;
    request.first_sound_within_s = within_s(speech);
    request.buffered_s = buffered_s(speech);
    request.skip_silence = speech->skips_silence && speech->first_s <= 0.0;
    request.pauses_max_s = 0.0; /* it is of all texts together */
    request.accepted = on_accepted;
    request.cancelled = must_stop;
    request.accepted_user = request.cancelled_user = speech;
    speech->call_stats = (kokoro_stats){0};
    speech->problem = (kokoro_error){.status = KOKORO_OK};
    if (pause_s > speech->pause_s)
        speech->pause_s = pause_s;
    int status =
        kokoro_speak(speech->count.engine, &request, on_chunk, speech, &speech->call_stats, err);
    add_stats(&speech->stats, &speech->call_stats);
    speech->call_stats = (kokoro_stats){0};
    if (status == KOKORO_NO_SPEECH) /* what separates it from the text before goes to the next */
        return KOKORO_OK;
    if (status == KOKORO_CANCELLED && speech->problem.status != KOKORO_OK) {
        *err = speech->problem;
        status = err->status;
    }
    speech->pause_s = 0.0;
    speech->n_calls++;
    return status;
}

static int speak_in_turn(kk_feed_speech *speech, const kk_feed_text *text, kokoro_error *err)
{
    int status = take_place(speech);
    if (status == KOKORO_CANCELLED)
        return kk_fail(err, status, "the client is gone");
    if (status != KOKORO_OK)
        return status;
    status = speak_text(speech, text, err);
    give_place(speech);
    return status;
}

int kk_feed_speech_run(kk_feed_speech *speech, kokoro_error *err)
{
    kk_feed_text text = {.text = KK_BUF_INIT};
    int status = KOKORO_OK;
    while (status == KOKORO_OK) {
        int verdict = wait_for_text(speech, &text, err);
        if (verdict == KK_FEED_END)
            break;
        status = verdict < 0 ? verdict : speak_in_turn(speech, &text, err);
    }
    if (status == KOKORO_OK && speech->n_calls == 0)
        status = kk_fail(err, KOKORO_NO_SPEECH, "the text holds no word that can be spoken");
    kk_buf_fini(&text.text);
    if (status != KOKORO_BUSY)
        kk_speech_count_end(&speech->count, status, &speech->stats);
    return status;
}
