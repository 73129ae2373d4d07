#include "server/speech/text_feed.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"

#include <string.h>

/* Joined up to so many bytes: some 40 s of speech, of which the engine makes its own chunks. */
enum { MAX_JOINED = 600 };

/* Language models write some words a second at least: this long without one is a pause, in which a
 * sentence that looks whole is spoken without seeing what follows it. */
static const double PAUSE_S = 0.3;
/* The same for words that make no sentence yet, when the listener has nothing left to hear. */
static const double LONG_PAUSE_S = 1.0;

int kk_text_feed_init(kk_text_feed *feed, size_t max_chars, double now_s, kokoro_error *err)
{
    *feed = (kk_text_feed){.max_chars = max_chars, .last_s = now_s};
    return kokoro_clauses_open(&feed->clauses, err);
}

void kk_text_feed_fini(kk_text_feed *feed)
{
    kokoro_clauses_close(&feed->clauses);
    kk_buf_fini(&feed->ready);
    kk_free(feed->marks);
    *feed = (kk_text_feed){0};
}

static int add_clause(void *user, const char *text, size_t len, bool is_cut)
{
    kk_text_feed *feed = user;
    if (feed->n_marks == feed->capacity) {
        size_t capacity = feed->capacity > 0 ? 2 * feed->capacity : 16;
        kk_clause_mark *marks = kk_realloc(feed->marks, capacity * sizeof(*marks));
        if (marks == NULL)
            return -1;
        feed->marks = marks;
        feed->capacity = capacity;
    }
    kk_buf_append(&feed->ready, text, len);
    if (feed->ready.failed)
        return -1;
    feed->marks[feed->n_marks++] = (kk_clause_mark){feed->ready.len, is_cut};
    return 0;
}

/* The only reason for which add_clause stops. */
static int memory_status(int status, kokoro_error *err)
{
    return status == KOKORO_CANCELLED ? kk_fail_memory(err) : status;
}

int kk_text_feed_add(kk_text_feed *feed, kk_slice text, double now_s, kokoro_error *err)
{
    size_t n_chars = kk_utf8_count(text);
    if (n_chars > feed->max_chars - feed->n_chars)
        return kk_fail(err, KOKORO_TOO_LONG, "the text has more than %zu characters",
                       feed->max_chars);
    feed->n_chars += n_chars;
    feed->last_s = now_s;
    feed->has_paused = false;
    return memory_status(
        kokoro_clauses_add(feed->clauses, text.data, text.len, add_clause, feed, err), err);
}

int kk_text_feed_end(kk_text_feed *feed, kokoro_error *err)
{
    feed->is_ended = true;
    return memory_status(
        kokoro_clauses_flush(feed->clauses, KOKORO_FLUSH_ALL, add_clause, feed, err), err);
}

/* Whether a paragraph begins with this text, which the engine sees alone: a blank line is two line
 * breaks with nothing but white space between them, and they may have come with different texts. */
static bool begins_paragraph(kk_text_feed *feed, kk_slice text)
{
    bool is_first = true, begins = false;
    while (text.len > 0) {
        uint32_t c;
        const size_t len = kk_utf8_decode(text, &c);
        text = (kk_slice){text.data + (len > 0 ? len : 1), text.len - (len > 0 ? len : 1)};
        if (kk_is_white_space(c)) {
            const bool is_half = c == '\r' && text.len > 0 && text.data[0] == '\n';
            feed->n_breaks += kk_is_line_break(c) && !is_half;
            continue;
        }
        if (is_first)
            begins = feed->has_taken && feed->n_breaks > 1;
        is_first = false;
        feed->has_taken = true;
        feed->n_breaks = 0;
    }
    return begins;
}

/* Clauses that wait, joined; at least one. */
static int take_ready(kk_text_feed *feed, kk_feed_text *out, kokoro_error *err)
{
    size_t n = 1;
    while (n < feed->n_marks && feed->marks[n].end <= MAX_JOINED)
        n++;
    const kk_clause_mark last = feed->marks[n - 1];
    kk_buf_clear(&out->text);
    kk_buf_append(&out->text, feed->ready.data, last.end);
    if (out->text.failed)
        return kk_fail_memory(err);
    const bool is_last = feed->is_ended && n == feed->n_marks;
    out->seam_before = feed->seam;
    out->seam_after = is_last       ? KOKORO_SEAM_NONE
                      : last.is_cut ? KOKORO_SEAM_CUT
                                    : KOKORO_SEAM_SENTENCE;
    feed->seam = out->seam_after;
    out->begins_paragraph = begins_paragraph(feed, (kk_slice){out->text.data, out->text.len});
    feed->ready.len -= last.end;
    memmove(feed->ready.data, feed->ready.data + last.end, feed->ready.len);
    feed->n_marks -= n;
    for (size_t i = 0; i < feed->n_marks; i++)
        feed->marks[i] =
            (kk_clause_mark){feed->marks[i + n].end - last.end, feed->marks[i + n].is_cut};
    return KK_FEED_TEXT;
}

/* Nothing comes: what is there may do. */
static int notice_pause(kk_text_feed *feed, double now_s, double buffered_s, double *wait_s,
                        kokoro_error *err)
{
    double quiet_s = now_s - feed->last_s;
    int status = KOKORO_OK;
    if (quiet_s < PAUSE_S) {
        *wait_s = PAUSE_S - quiet_s;
        return KOKORO_OK;
    }
    if (!feed->has_paused)
        status = kokoro_clauses_flush(feed->clauses, KOKORO_FLUSH_SENTENCE, add_clause, feed, err);
    feed->has_paused = true;
    if (status != KOKORO_OK || feed->n_marks > 0)
        return memory_status(status, err);
    double spare_s = LONG_PAUSE_S - quiet_s > buffered_s ? LONG_PAUSE_S - quiet_s : buffered_s;
    if (spare_s <= 0.0) {
        status = kokoro_clauses_flush(feed->clauses, KOKORO_FLUSH_WORDS, add_clause, feed, err);
        spare_s = LONG_PAUSE_S;
    }
    *wait_s = spare_s;
    return memory_status(status, err);
}

int kk_text_feed_take(kk_text_feed *feed, double now_s, double buffered_s, kk_feed_text *out,
                      double *wait_s, kokoro_error *err)
{
    int status = KOKORO_OK;
    *wait_s = 0.0;
    if (feed->n_marks == 0 && !feed->is_ended)
        status = notice_pause(feed, now_s, buffered_s, wait_s, err);
    if (status != KOKORO_OK)
        return status;
    if (feed->n_marks > 0)
        return take_ready(feed, out, err);
    return feed->is_ended ? KK_FEED_END : KK_FEED_WAIT;
}
