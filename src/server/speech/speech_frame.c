/* speech_frame.c - bytes of speech as text. */
#include "server/speech/speech_frame.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "server/json.h"

#include <math.h>

/* Bytes of one event: some clients read lines of no more than 64 KB. A multiple of three, so that
 * only the last event of several has padding. */
enum { DELTA_LEN = 24 << 10 };

void kk_frame_words_init(kk_frame_words *words, const kk_speech_request *request)
{
    *words = (kk_frame_words){.request = request, .n_chars = request->n_chars_in_front};
    if (!request->speak.wants_words)
        return;
    words->list = json_array();
    words->failed = words->list == NULL;
}

void kk_frame_words_fini(kk_frame_words *words)
{
    json_decref(words->list);
    words->list = NULL;
}

/* Characters of the text as it was sent that lie before a byte of it; never goes back. */
static size_t chars_before(kk_frame_words *words, size_t byte)
{
    const char *text = words->request->speak.text;
    if (byte > words->byte) {
        words->n_chars += kk_utf8_count((kk_slice){text + words->byte, byte - words->byte});
        words->byte = byte;
    }
    return words->n_chars;
}

static json_t *word_object(kk_frame_words *words, const kokoro_timed_word *word)
{
    const kk_slice text = {words->request->speak.text + word->offset, word->len};
    const size_t offset = chars_before(words, word->offset);
    return json_pack("{s:o, s:o, s:o, s:I, s:I}", "word", json_stringn_nocheck(text.data, text.len),
                     "start", kk_json_real(word->start_s), "end", kk_json_real(word->end_s),
                     "offset", (json_int_t)offset, "length", (json_int_t)kk_utf8_count(text));
}

void kk_frame_words_add(kk_frame_words *words, const kokoro_chunk *chunk)
{
    for (size_t i = 0; words->list != NULL && i < chunk->n_words; i++) {
        if (json_array_append_new(words->list, word_object(words, &chunk->words[i])) != 0)
            words->failed = true;
    }
}

/* The first word that waits ended by then. */
static bool has_word_until(const kk_frame_words *words, double until_s)
{
    return words->list != NULL && json_array_size(words->list) > 0 &&
           json_number_value(json_object_get(json_array_get(words->list, 0), "end")) <= until_s;
}

/* The words that have ended by then go out with this. */
static void append_words(kk_buf *dst, kk_frame_words *words, double until_s)
{
    json_t *due = json_array();
    while (has_word_until(words, until_s)) {
        if (json_array_append(due, json_array_get(words->list, 0)) != 0)
            words->failed = true;
        (void)json_array_remove(words->list, 0);
    }
    kk_json_write(dst, due);
    dst->failed = dst->failed || words->failed;
}

void kk_frame_deltas(kk_buf *dst, kk_slice bytes, double from_s, double to_s, kk_frame_words *words)
{
    const double bytes_per_s = to_s > from_s ? (double)bytes.len / (to_s - from_s) : 0.0;
    double until_s = from_s;
    while (bytes.len > 0 || has_word_until(words, INFINITY)) {
        const size_t len = bytes.len < DELTA_LEN ? bytes.len : DELTA_LEN;
        if (len == bytes.len)
            until_s = INFINITY; /* of the last one: all that were handed over with its sound */
        else if (bytes_per_s > 0.0)
            until_s += (double)len / bytes_per_s;
        kk_buf_append_str(dst, "data: {\"type\":\"speech.audio.delta\",\"audio\":\"");
        kk_base64_append(dst, bytes.data, len);
        kk_buf_append_char(dst, '"');
        if (has_word_until(words, until_s)) {
            kk_buf_append_str(dst, ",\"timestamps\":");
            append_words(dst, words, until_s);
        }
        kk_buf_append_str(dst, "}\n\n");
        bytes = (kk_slice){bytes.data + len, bytes.len - len};
    }
}

void kk_frame_done(kk_buf *dst, const kokoro_stats *stats, uint64_t n_samples)
{
    const unsigned long long n_in = stats->n_phonemes;
    const unsigned long long n_out =
        (n_samples + KOKORO_SAMPLES_PER_FRAME - 1) / KOKORO_SAMPLES_PER_FRAME;
    kk_buf_appendf(dst,
                   "data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":%llu,"
                   "\"output_tokens\":%llu,\"total_tokens\":%llu}}\n\n",
                   n_in, n_out, n_in + n_out);
}

void kk_frame_error(kk_buf *dst, const kk_api_error *error)
{
    kk_buf_append_str(dst, "data: ");
    kk_api_write(dst, error);
    kk_buf_append_str(dst, "\n\n");
}

void kk_frame_object(kk_buf *dst, kk_slice bytes, const kk_speech_request *request,
                     kk_frame_words *words)
{
    kk_buf_append_str(dst, "{\"audio\":\"");
    kk_base64_append(dst, bytes.data, bytes.len);
    kk_buf_appendf(dst,
                   "\",\"format\":\"%s\",\"sample_rate\":%d,\"timestamps\":", request->codec->name,
                   kk_codec_rate_hz(request->codec, &request->encoding));
    append_words(dst, words, INFINITY);
    kk_buf_append_char(dst, '}');
}
