/*
 * frequency.h - the four answers to "how often should this machine be measured?": what each means;
 * and the benchmark's record under the one that is set.
 */
#ifndef KK_APPS_FREQUENCY_H
#define KK_APPS_FREQUENCY_H

#include "cache/record.h"
#include "config/config.h"

#include <jansson.h>

enum { KK_N_FREQUENCIES = KK_MANUALLY + 1 };

typedef struct kk_frequency_text {
    const char *name;     /* as it is stored, "manually" */
    const char *title;    /* "Daily" */
    const char *duration; /* "24 hours" */
    const char *description, *start_up, *battery, *best_for;
} kk_frequency_text;

extern const kk_frequency_text kk_frequencies[KK_N_FREQUENCIES];

/* "manual" is "manually"; any case. -1 for another word. */
int kk_frequency_find(const char *word);

kk_validity_rule kk_frequency_rule(const kk_config *config);

/* The record of the settings' cache directory, judged; the fingerprint is left out where there is
 * no model to compare with. The caller frees *path (kk_free), which is NULL when memory is out. */
void kk_frequency_look(const kk_config *config, kk_record *record, kk_record_view *view,
                       char **path);

/*
 * The name of an option that the command was given and that changes the fingerprint of what is
 * measured, "threads"; NULL: there is none. Precision and provider are no such: they restrict what
 * is measured, and those runs make no record anyway.
 */
const char *kk_fingerprint_option(const kk_config *config);

/* "missing", "valid", "expired", "changed", "damaged" */
const char *kk_record_state_text(enum kk_record_state state);

/* "2026-11-24 17:05:59" of this machine's time zone. */
enum { KK_DATE_SIZE = 32 };
const char *kk_date_text(double seconds, char text[KK_DATE_SIZE]);

/* Seconds as hours or days with two digits; null where there is no end. */
json_t *kk_json_of_span(double seconds, double unit_s);

#endif
