/* before.c - see before.h. */
#include "bench/before.h"

#include "hardware/hardware.h"
#include "kernels/kernels.h"
#include "kernels/self_check.h"

#include <stdio.h>
#include <string.h>

static bool is_text(const char *value, const char *text)
{
    return value != NULL && strcmp(value, text) == 0;
}

/* As provider auto opens it (engine/choose.c). */
static void take_unmeasured(kk_way *out, const kokoro_options *options)
{
    const char *provider = options->provider;
    const kk_kernels *kernels = kk_kernels_choose(options->cpu_mask);
    kk_hardware hardware;
    *out = (kk_way){.n_threads = 0};
    if (provider != NULL && provider[0] != '\0' && !is_text(provider, "auto") &&
        !is_text(provider, "native"))
        return;
    if (kernels == NULL || kk_kernels_self_check(kernels) != NULL)
        return;
    kk_hardware_read(&hardware);
    out->n_threads = options->n_threads > 0 ? options->n_threads : kk_hardware_threads(&hardware);
    (void)snprintf(out->provider, sizeof(out->provider), "native");
    (void)snprintf(out->precision, sizeof(out->precision), "%s",
                   kernels->has_bf16 != 0 && !is_text(options->precision, "f32") ? "bf16" : "f32");
}

void kk_way_before_find(kk_way_before *out, const kokoro_options *options,
                        const kk_validity_rule *rule, double now_s)
{
    kk_fingerprint fingerprint;
    kk_record record;
    kk_record_view view = {.state = KK_RECORD_MISSING};
    *out = (kk_way_before){.is_unmeasured = false};
    if (kk_fingerprint_make(&fingerprint, options, NULL) == KOKORO_OK)
        kk_record_look(&record, options->cache_dir, &fingerprint, rule, now_s, &view);
    if (view.state == KK_RECORD_VALID || view.state == KK_RECORD_EXPIRED) {
        out->way = record.current.provider[0] != '\0' ? record.current : record.recommended;
        return;
    }
    take_unmeasured(&out->way, options);
    out->is_unmeasured = out->way.provider[0] != '\0';
}

static bool is_among(const kk_bench_result *result, const kk_way *way)
{
    for (size_t i = 0; i < result->n_ways; i++) {
        if (kk_way_equal(&result->ways[i].way, way))
            return true;
    }
    return false;
}

void kk_way_before_settle(kk_way_before *before, const kk_bench_result *result)
{
    kk_way other = before->way;
    if (!before->is_unmeasured || is_among(result, &before->way))
        return;
    (void)snprintf(other.precision, sizeof(other.precision), "f32");
    if (is_among(result, &other))
        before->way = other;
}
