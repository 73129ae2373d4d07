/*
 * When words are heard, with the real model: every word of the text once, in its order, within the
 * sound, the same whether the sound comes in pieces or not; and silence between sentences.
 */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/str.h"
#include "kokoro/kokoro.h"

#include <ctype.h>

enum { MAX_WORDS = 400 };

static char model_path[512], voices_path[512], lexicon_path[512];
static char cache_dir[] = "/tmp/kokoro-words-XXXXXX";
static kokoro_engine *engine;

#define NEED_DATA()                                                                                \
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");                                               \
    NEED(voices_path, "voices/voices.pack");                                                       \
    NEED(lexicon_path, "lexicon/english.pack");                                                    \
    open_engine()

static void open_engine(void)
{
    kokoro_options options;
    kokoro_error err = {0, ""};
    if (engine != NULL)
        return;
    CHECK(mkdtemp(cache_dir) != NULL);
    kokoro_options_init(&options);
    options.model_path = model_path;
    options.voices_path = voices_path;
    options.lexicon_path = lexicon_path;
    options.cache_dir = cache_dir;
    options.cpu_mask = getenv("KOKORO_CPU_MASK");
    options.provider = "native";
    CHECK_INT(kokoro_open(&engine, &options, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
}

typedef struct heard {
    kokoro_timed_word words[MAX_WORDS];
    size_t n, n_samples, n_parts, n_quiet_longest, n_quiet;
    size_t late; /* words that were told before their sound was given */
} heard;

static int hear(void *user, const kokoro_chunk *chunk)
{
    heard *h = user;
    for (size_t i = 0; i < chunk->n_samples; i++) {
        h->n_quiet = chunk->samples[i] == 0.0f ? h->n_quiet + 1 : 0;
        h->n_quiet_longest = h->n_quiet > h->n_quiet_longest ? h->n_quiet : h->n_quiet_longest;
    }
    h->n_samples += chunk->n_samples;
    h->n_parts++;
    for (size_t i = 0; i < chunk->n_words && h->n < MAX_WORDS; i++) {
        h->words[h->n++] = chunk->words[i];
        h->late += chunk->words[i].end_s > (double)h->n_samples / KOKORO_SAMPLE_RATE_HZ + 1e-9;
    }
    return 0;
}

static kokoro_request request_of(const char *text)
{
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = text;
    request.text_len = strlen(text);
    request.wants_words = true;
    return request;
}

static void listen(const kokoro_request *request, heard *h)
{
    kokoro_error err = {0, ""};
    memset(h, 0, sizeof(*h));
    CHECK_INT(kokoro_speak(engine, request, hear, h, NULL, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
}

/* Nothing that could be spoken lies outside the words, and the times fit. */
static void check_heard(const kokoro_request *request, const heard *h)
{
    size_t at = 0;
    double time_s = 0.0;
    for (size_t i = 0; i <= h->n; i++) {
        const size_t begin = i < h->n ? h->words[i].offset : request->text_len;
        CHECK(begin >= at);
        for (; at < begin; at++)
            CHECK(!isalnum((unsigned char)request->text[at]));
        if (i == h->n)
            break;
        at = begin + h->words[i].len;
        CHECK(at <= request->text_len);
        CHECK(h->words[i].start_s >= time_s);
        CHECK(h->words[i].end_s >= h->words[i].start_s);
        time_s = h->words[i].end_s;
    }
    CHECK(time_s <= (double)h->n_samples / KOKORO_SAMPLE_RATE_HZ + 1e-9);
    CHECK(time_s > (double)h->n_samples / KOKORO_SAMPLE_RATE_HZ - 1.0);
    CHECK_INT(h->late, 0);
}

static const char story[] =
    "The 42 dogs cost $5.20 each. Don\xE2\x80\x99t they? Dr. Smith\xE2\x80\x99s well-known cat "
    "\xE2\x80\x94 \xE2\x80\x9Cthe quick one\xE2\x80\x9D \xE2\x80\x94 ran 3 km on 3/4/2024!\n\n"
    "A second paragraph follows; it is about $5 million, e.g. 1,234.5 of them. It ends here.";

static bool is_word(const kokoro_request *request, const kokoro_timed_word *word, const char *text)
{
    return kk_slice_equal((kk_slice){request->text + word->offset, word->len}, kk_slice_of(text));
}

TEST(words_are_told_in_their_order)
{
    NEED_DATA();
    const kokoro_request request = request_of(story);
    static heard h;
    listen(&request, &h);
    check_heard(&request, &h);
    CHECK(is_word(&request, &h.words[0], "The"));
    CHECK(is_word(&request, &h.words[1], "42")); /* read as two words */
    CHECK(is_word(&request, &h.words[2], "dogs"));
    CHECK(is_word(&request, &h.words[3], "cost"));
    CHECK(is_word(&request, &h.words[4], "$5.20"));
    CHECK(is_word(&request, &h.words[h.n - 1], "here"));
    CHECK(h.words[1].end_s - h.words[1].start_s > 0.3);
    CHECK(h.words[0].start_s > 0.05 && h.words[0].start_s < 0.6);
    for (size_t i = 0; i < h.n; i++)
        CHECK(h.words[i].end_s > h.words[i].start_s);
}

TEST(pieces_tell_the_same_words)
{
    NEED_DATA();
    kokoro_request request = request_of(story);
    static heard whole, pieces;
    listen(&request, &whole);
    request.pieces = true;
    listen(&request, &pieces);
    check_heard(&request, &pieces);
    CHECK(pieces.n_parts > whole.n_parts);
    CHECK_INT(pieces.n, whole.n);
    for (size_t i = 0; i < whole.n && i < pieces.n; i++) {
        CHECK_INT(pieces.words[i].offset, whole.words[i].offset);
        CHECK_INT(pieces.words[i].len, whole.words[i].len);
        CHECK_NEAR(pieces.words[i].start_s, whole.words[i].start_s, 1e-9);
        CHECK_NEAR(pieces.words[i].end_s, whole.words[i].end_s, 1e-9);
    }
}

/* One sentence over the model's limit, which is cut, and one word that is cut in its middle. */
TEST(words_of_cut_sentences)
{
    NEED_DATA();
    static char text[4000];
    static heard h;
    size_t len = 0;
    for (int i = 0; i < 30; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s number %d ",
                                i % 2 != 0 ? "apples" : "oranges", i);
    kokoro_request request = request_of(text);
    request.speed = 3.0;
    listen(&request, &h);
    CHECK(h.n_parts > 1);
    check_heard(&request, &h);
    CHECK_INT(h.n, 90);
    (void)snprintf(text, sizeof(text), "x%0100d end", 0);
    request = request_of(text);
    request.speed = 3.0;
    listen(&request, &h);
    CHECK(h.n_parts > 1);
    check_heard(&request, &h);
    CHECK(is_word(&request, &h.words[h.n - 1], "end"));
}

TEST(nobody_who_does_not_ask_is_told)
{
    NEED_DATA();
    kokoro_request request = request_of("Nothing to tell.");
    static heard h;
    request.wants_words = false;
    listen(&request, &h);
    CHECK_INT(h.n, 0);
    request = request_of("h\xC9\x99l\xCB\x88O.");
    request.is_phonemes = true;
    listen(&request, &h);
    CHECK_INT(h.n, 0);
}

TEST(pauses_are_added)
{
    NEED_DATA();
    const char text[] = "One is here. Two is here.\n\nThree is here. ";
    kokoro_request request = request_of(text);
    static heard plain, paused;
    listen(&request, &plain);
    request.paragraph_pause_s = 1.5;
    listen(&request, &paused);
    check_heard(&request, &paused);
    CHECK_INT(paused.n_samples, plain.n_samples + 36000);
    CHECK_NEAR(paused.words[6].start_s, plain.words[6].start_s + 1.5, 1e-9);
    CHECK_NEAR(paused.words[5].end_s, plain.words[5].end_s, 1e-9);
    CHECK(paused.n_quiet_longest >= 36000);
    /* Behind each of two sentences, and never behind the last. */
    request.paragraph_pause_s = 0.0;
    request.sentence_pause_s = 0.5;
    listen(&request, &paused);
    check_heard(&request, &paused);
    CHECK_INT(paused.n_quiet, 0);
    CHECK(paused.n_quiet_longest >= 12000 && paused.n_quiet_longest < 24000);
    CHECK(paused.words[3].start_s - paused.words[2].end_s > 0.5);
    CHECK(paused.words[6].start_s - paused.words[5].end_s > 0.5);
}

TEST(pauses_have_limits)
{
    NEED_DATA();
    static const double wrong[] = {-0.1, 10.5, NAN, INFINITY};
    for (size_t i = 0; i < 2 * sizeof(wrong) / sizeof(wrong[0]); i++) {
        kokoro_request request = request_of("Hello.");
        kokoro_error err;
        *(i % 2 == 0 ? &request.sentence_pause_s : &request.paragraph_pause_s) = wrong[i / 2];
        CHECK_INT(kokoro_check_request(engine, &request, &err), KOKORO_INVALID);
        CHECK_HAS(err.message, "pauses must be 0 to 10 seconds");
    }
}

TEST(every_failed_allocation_is_an_error)
{
    NEED_DATA();
    kokoro_request request = request_of("It is 42.");
    static heard h;
    int status = KOKORO_NO_MEMORY;
    size_t k = 1;
    for (; status == KOKORO_NO_MEMORY && k < 3000; k++) {
        memset(&h, 0, sizeof(h));
        kk_alloc_fail_at(k, 0);
        status = kokoro_speak(engine, &request, hear, &h, NULL, NULL);
        kk_alloc_fail_at(0, 0);
    }
    CHECK_INT(status, KOKORO_OK);
    CHECK(k > 10);
    CHECK_INT(h.n, 3);
}

TEST(the_engine_closes)
{
    char command[600];
    kokoro_close(&engine);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", cache_dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(words_are_told_in_their_order), T(pieces_tell_the_same_words),
          T(words_of_cut_sentences), T(nobody_who_does_not_ask_is_told), T(pauses_are_added),
          T(pauses_have_limits), T(every_failed_allocation_is_an_error), T(the_engine_closes))
