/*
 * choose.h - which provider `auto` opens: the one that the benchmark's record recommends; without a
 * record that holds for this machine, the first of the table, `native`, if its kernels agree with
 * plain C. And the record's life afterwards: a use with success prolongs it.
 */
#ifndef KK_ENGINE_CHOOSE_H
#define KK_ENGINE_CHOOSE_H

#include "cache/record.h"
#include "kokoro/kokoro.h"
#include "model/model.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct kk_choice_made {
    const char *choice; /* "asked", "measured", "expired", "unmeasured", "fallback" */
    char reason[512];   /* a sentence */
    /* To prolong the record by: */
    char *cache_dir; /* NULL: there is none to prolong */
    kk_fingerprint fingerprint;
    atomic_int rule; /* 2 * frequency, + 1: extended */
    kk_way way;
    atomic_llong next_s; /* earliest time of the next attempt, by kk_now_s */
} kk_choice_made;

/*
 * Opens what options->provider says into *out, with the parts of `model` that the options leave
 * free as the record has them. A provider asked for by name that fails is an error.
 */
int kk_choose_and_open(kk_model **out, int *n_threads, kk_choice_made *made,
                       const kokoro_options *options, const kk_model_options *model,
                       kokoro_error *err);

/* Speech was made: prolong the record and note what runs, at most once an hour. From any thread;
 * failures go to the log. */
void kk_choice_used(kk_choice_made *made, const kk_log *log);

/* The rule is another from now on, as the options of its names have it. From any thread. */
void kk_choice_set_period(kk_choice_made *made, const char *frequency, bool is_extended);

void kk_choice_fini(kk_choice_made *made);

#endif
