/* choose.c - see choose.h. */
#include "engine/choose.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum { HOUR_S = 3600 };

/* The unfinished sentence of an error's message, cut to fit into another. */
#define CUT "%.280s"

typedef struct chooser {
    kk_choice_made *made;
    const kokoro_options *options;
    const kk_model_options *model;
    kk_record record;
    bool is_usable;      /* the record */
    char no_record[320]; /* why it is not, "there is no benchmark record" */
} chooser;

static enum kk_frequency frequency_of(const char *name)
{
    static const char *const names[] = {[KK_DAILY] = "daily",
                                        [KK_WEEKLY] = "weekly",
                                        [KK_MONTHLY] = "monthly",
                                        [KK_MANUALLY] = "manually"};
    for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return (enum kk_frequency)i;
    }
    return name != NULL && strcmp(name, "manual") == 0 ? KK_MANUALLY : KK_WEEKLY;
}

void kk_choice_set_period(kk_choice_made *made, const char *frequency, bool is_extended)
{
    const int rule = 2 * (int)frequency_of(frequency) + is_extended;
    if (atomic_exchange(&made->rule, rule) != rule)
        atomic_store(&made->next_s, 0); /* the next use may prolong by it */
}

static kk_validity_rule rule_of(kk_choice_made *made)
{
    const int rule = atomic_load(&made->rule);
    return (kk_validity_rule){(enum kk_frequency)(rule / 2), rule % 2 != 0};
}

/* What the cache directory has for this machine; only memory that is out is an error. */
static int look(chooser *c, kokoro_error *err)
{
    kk_choice_made *made = c->made;
    kk_record_view view;
    kokoro_error reason;
    const char *cache_dir = c->options->cache_dir;
    (void)snprintf(c->no_record, sizeof(c->no_record), "there is no benchmark record");
    if (cache_dir == NULL || cache_dir[0] == '\0')
        return KOKORO_OK;
    int status = kk_fingerprint_make(&made->fingerprint, c->options, &reason);
    if (status == KOKORO_NO_MEMORY)
        return kk_fail_memory(err);
    if (status != KOKORO_OK)
        return KOKORO_OK; /* to open the model will say it too */
    made->cache_dir = kk_strdup(cache_dir);
    if (made->cache_dir == NULL)
        return kk_fail_memory(err);
    kk_choice_set_period(made, c->options->benchmark_frequency, c->options->benchmark_extended);
    const kk_validity_rule rule = rule_of(made);
    kk_record_look(&c->record, cache_dir, &made->fingerprint, &rule, kk_wall_s(), &view);
    c->is_usable = view.state == KK_RECORD_VALID || view.state == KK_RECORD_EXPIRED;
    made->choice = view.state == KK_RECORD_EXPIRED ? "expired" : "measured";
    if (view.state == KK_RECORD_CHANGED)
        (void)snprintf(c->no_record, sizeof(c->no_record), "the benchmark record is of another %s",
                       view.changed);
    else if (view.state == KK_RECORD_DAMAGED)
        (void)snprintf(c->no_record, sizeof(c->no_record), CUT, view.problem);
    return KOKORO_OK;
}

/* Whether another provider may do better: an absent file, a wrong option or a lack of memory stops
 * them all. */
static bool is_of_provider(int status)
{
    return status == KOKORO_BAD_MODEL || status == KOKORO_PROVIDER;
}

static int open_recommended(chooser *c, kk_model **out, int *n_threads, kokoro_error *err)
{
    kk_model_options model = *c->model;
    kk_way way;
    kk_record_way(&c->record, c->options, &way);
    const kk_provider *provider = kk_provider_find(way.provider);
    if (provider == NULL)
        return kk_fail(err, KOKORO_PROVIDER, "this program has no provider %s", way.provider);
    model.n_threads = *n_threads = way.n_threads;
    if (strcmp(way.precision, "file") != 0)
        model.precision = way.precision;
    return provider->open(out, &model, err);
}

static const char *why_slow(const kk_provider *provider, const kk_model_options *model)
{
    return provider->why_slow != NULL ? provider->why_slow(model) : NULL;
}

/* The providers that may be taken unmeasured, best first, those that are slow on this machine last.
 * Returns how many. */
static size_t order_automatic(const kk_provider **order, const kk_model_options *model)
{
    size_t n = 0;
    for (int slow = 0; slow < 2; slow++) {
        for (size_t i = 0; i < KK_N_PROVIDERS; i++) {
            const kk_provider *provider = kk_providers[i];
            const bool is_slow = why_slow(provider, model) != NULL;
            if (provider->is_automatic && is_slow == (slow == 1))
                order[n++] = provider;
        }
    }
    return n;
}

/* The first of them is told. */
static void note_refusal(char *refusal, size_t size, const kk_provider *provider, const char *what,
                         const char *reason)
{
    if (refusal[0] == '\0')
        (void)snprintf(refusal, size, "; %s %s: %.150s", provider->name, what, reason);
}

/* What need not be asked for or measured, in order. On failure *err has the last reason, the log
 * those before it. */
static int open_first(const kk_model_options *model, kk_model **out, char *refusal, size_t size,
                      kokoro_error *err)
{
    const kk_provider *order[KK_N_PROVIDERS];
    const size_t n = order_automatic(order, model);
    int status = KOKORO_PROVIDER;
    size_t i = 0;
    for (; i < n; i++) {
        kokoro_error reason;
        status = order[i]->open(out, model, &reason);
        if (status == KOKORO_OK)
            break;
        if (!is_of_provider(status) || i + 1 == n)
            return kk_fail(err, status, "%s", reason.message);
        kk_log_write(model->log, KOKORO_LOG_WARNING, "provider %s: %s", order[i]->name,
                     reason.message);
        note_refusal(refusal, size, order[i], "cannot", reason.message);
    }
    for (size_t k = i + 1; status == KOKORO_OK && k < n; k++) {
        if (why_slow(order[k], model) != NULL)
            note_refusal(refusal, size, order[k], "would be slow", why_slow(order[k], model));
    }
    return status;
}

static int open_auto(chooser *c, kk_model **out, int *n_threads, kokoro_error *err)
{
    kk_choice_made *made = c->made;
    kokoro_error reason = {KOKORO_OK, ""};
    char refusal[180] = "";
    const int asked_threads = *n_threads;
    int status = look(c, err);
    if (status != KOKORO_OK)
        return status;
    if (c->is_usable) {
        status = open_recommended(c, out, n_threads, &reason);
        if (status == KOKORO_OK) {
            (void)snprintf(made->reason, sizeof(made->reason), CUT "%s", c->record.reason,
                           made->choice[0] == 'e' ? " The benchmark is older than its period."
                                                  : "");
            return status;
        }
        if (!is_of_provider(status))
            return kk_fail(err, status, "%s", reason.message);
        kk_log_write(c->model->log, KOKORO_LOG_WARNING,
                     "the recommended provider %s cannot be used: %s",
                     c->record.recommended.provider, reason.message);
        made->choice = "fallback";
        *n_threads = asked_threads;
    } else {
        made->choice = "unmeasured";
    }
    status = open_first(c->model, out, refusal, sizeof(refusal), err);
    if (status != KOKORO_OK)
        return status;
    if (c->is_usable)
        (void)snprintf(made->reason, sizeof(made->reason),
                       "the recommended provider %s cannot be used: " CUT,
                       c->record.recommended.provider, reason.message);
    else
        (void)snprintf(made->reason, sizeof(made->reason), "%s%s", c->no_record, refusal);
    return status;
}

static int open_asked(chooser *c, kk_model **out, kokoro_error *err)
{
    const kk_provider *provider = kk_provider_find(c->options->provider);
    if (provider == NULL) {
        kk_buf names = KK_BUF_INIT;
        for (size_t i = 0; i < KK_N_PROVIDERS; i++)
            kk_buf_appendf(&names, "%s%s", i + 1 < KK_N_PROVIDERS ? ", " : " and ",
                           kk_providers[i]->name);
        int status = kk_fail(err, KOKORO_INVALID, "unknown provider '%.40s'; known are auto%s",
                             c->options->provider, kk_buf_str(&names));
        kk_buf_fini(&names);
        return status;
    }
    c->made->choice = "asked";
    (void)snprintf(c->made->reason, sizeof(c->made->reason), "it was asked for by its name");
    return provider->open(out, c->model, err);
}

int kk_choose_and_open(kk_model **out, int *n_threads, kk_choice_made *made,
                       const kokoro_options *options, const kk_model_options *model,
                       kokoro_error *err)
{
    kk_model_options own = *model;
    chooser c = {.made = made, .options = options, .model = &own};
    *out = NULL;
    if (strcmp(options->provider, "auto") != 0)
        return open_asked(&c, out, err);
    own.self_check = true;
    int status = open_auto(&c, out, n_threads, err);
    if (status == KOKORO_OK) {
        made->way.n_threads = *n_threads;
        (void)snprintf(made->way.provider, KK_WAY_NAME, "%s", (*out)->provider->name);
        (void)snprintf(made->way.precision, KK_WAY_NAME, "%s", (*out)->info.precision);
    }
    return status;
}

void kk_choice_used(kk_choice_made *made, const kk_log *log)
{
    if (made->cache_dir == NULL)
        return;
    const long long now_s = (long long)kk_now_s();
    long long next_s = atomic_load_explicit(&made->next_s, memory_order_relaxed);
    kokoro_error reason;
    if (now_s < next_s || !atomic_compare_exchange_strong(&made->next_s, &next_s, now_s + HOUR_S))
        return;
    const kk_validity_rule rule = rule_of(made);
    if (kk_record_refresh(made->cache_dir, &made->fingerprint, &rule, &made->way, kk_wall_s(),
                          &reason) != KOKORO_OK)
        kk_log_write(log, KOKORO_LOG_DEBUG, "the benchmark record is not prolonged: %s",
                     reason.message);
}

void kk_choice_fini(kk_choice_made *made)
{
    kk_free(made->cache_dir);
    made->cache_dir = NULL;
}
