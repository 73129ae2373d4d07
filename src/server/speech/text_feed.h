/*
 * text_feed.h - text that arrives while it is spoken: clauses queue up while one is spoken, and all
 * that wait go to the engine in one call, so that its prosody is whole where it can be.
 *
 *     add ... end        from the client's side
 *     take               from the speaker's: what to say next, or how long to wait for it
 *
 * Pure: it knows the time only as it is told. Used by one thread, or under its user's mutex.
 */
#ifndef KK_SERVER_TEXT_FEED_H
#define KK_SERVER_TEXT_FEED_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct kk_clause_mark {
    size_t end; /* bytes into the text that waits */
    bool is_cut;
} kk_clause_mark;

typedef struct kk_text_feed {
    kokoro_clauses *clauses;
    kk_buf ready;          /* clauses that wait */
    kk_clause_mark *marks; /* [n_marks] */
    size_t n_marks, capacity;
    size_t n_chars, max_chars; /* of the whole text so far; at most */
    double last_s;             /* text came last; as the clock of its user tells it */
    bool is_ended;
    bool has_paused; /* a pause was noticed since text came last */
    int seam;        /* an enum kokoro_seam: behind what was taken last */
    bool has_taken;  /* something that is no white space */
    size_t n_breaks; /* line breaks in the white space behind it */
} kk_text_feed;

/* What to say next. */
typedef struct kk_feed_text {
    kk_buf text;                 /* owned by the taker, who gives it again for the next */
    int seam_before, seam_after; /* an enum kokoro_seam each */
    bool begins_paragraph;       /* a blank line lies between it and the text before */
} kk_feed_text;

enum kk_feed_verdict {
    KK_FEED_TEXT, /* say it */
    KK_FEED_WAIT, /* for more text, at most wait_s */
    KK_FEED_END   /* all was taken */
};

/* NO_MEMORY. */
int kk_text_feed_init(kk_text_feed *feed, size_t max_chars, double now_s, kokoro_error *err);
void kk_text_feed_fini(kk_text_feed *feed);

/* Valid UTF-8. TOO_LONG: nothing was added; NO_MEMORY. */
int kk_text_feed_add(kk_text_feed *feed, kk_slice text, double now_s, kokoro_error *err);
/* No more will come. NO_MEMORY. */
int kk_text_feed_end(kk_text_feed *feed, kokoro_error *err);

/*
 * An enum kk_feed_verdict, or a status below 0: NO_MEMORY. `buffered_s` is the sound that the
 * listener has yet to hear: who has enough waits for whole sentences.
 */
int kk_text_feed_take(kk_text_feed *feed, double now_s, double buffered_s, kk_feed_text *out,
                      double *wait_s, kokoro_error *err);

#endif
