/*
 * loudness.c - how loud each voice of Kokoro-82M 1.0 speaks: integrated loudness in LUFS (ITU-R
 * BS.1770-4, mono, gated), by name.
 *
 * Measured by bench/voice_loudness.py (bench/README.md) over ten sentences a voice together, at
 * speed 1, in English whatever the voice's language, with native in bf16, 2026-11-29. A single
 * sentence lies 0.3 LU from its voice's (standard deviation of 540), 1.1 at most. Voices of other
 * files are not here, and cannot be told from these by a name of theirs.
 */
#include "base/status.h"
#include "voice/voices_internal.h"

#include <string.h>

static const struct {
    char name[16];
    double lufs;
} table[KK_N_MEASURED_VOICES] = {
    {"af_alloy", -21.9},      {"af_aoede", -18.0},    {"af_bella", -21.7},
    {"af_heart", -22.6},      {"af_jessica", -22.0},  {"af_kore", -18.5},
    {"af_nicole", -21.8},     {"af_nova", -26.8},     {"af_river", -21.4},
    {"af_sarah", -20.9},      {"af_sky", -23.9},      {"am_adam", -18.4},
    {"am_echo", -22.3},       {"am_eric", -21.3},     {"am_fenrir", -19.1},
    {"am_liam", -21.7},       {"am_michael", -24.2},  {"am_onyx", -22.7},
    {"am_puck", -18.5},       {"am_santa", -22.4},    {"bf_alice", -20.7},
    {"bf_emma", -20.2},       {"bf_isabella", -17.7}, {"bf_lily", -21.3},
    {"bm_daniel", -21.4},     {"bm_fable", -22.0},    {"bm_george", -21.6},
    {"bm_lewis", -23.3},      {"ef_dora", -23.2},     {"em_alex", -22.7},
    {"em_santa", -22.4},      {"ff_siwis", -19.5},    {"hf_alpha", -16.0},
    {"hf_beta", -17.5},       {"hm_omega", -16.8},    {"hm_psi", -18.3},
    {"if_sara", -14.4},       {"im_nicola", -19.6},   {"jf_alpha", -20.0},
    {"jf_gongitsune", -20.8}, {"jf_nezumi", -20.5},   {"jf_tebukuro", -21.0},
    {"jm_kumo", -20.2},       {"pf_dora", -23.3},     {"pm_alex", -22.8},
    {"pm_santa", -22.6},      {"zf_xiaobei", -20.4},  {"zf_xiaoni", -18.4},
    {"zf_xiaoxiao", -16.8},   {"zf_xiaoyi", -19.6},   {"zm_yunjian", -21.1},
    {"zm_yunxi", -21.7},      {"zm_yunxia", -20.9},   {"zm_yunyang", -23.6},
};

/* NULL: it was never measured. */
static const double *find(const char *name)
{
    for (size_t i = 0; i < KK_N_MEASURED_VOICES; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i].lufs;
    }
    return NULL;
}

/* The weighted mean in LUFS: of a dozen blends it was 0.14 LU too high in the mean and 0.9 at most
 * (standard deviation 0.35), that of powers 0.34 too high. */
int kk_blend_loudness(const kk_voices *voices, const kk_blend *blend, double *lufs,
                      kokoro_error *err)
{
    double sum = 0.0;
    *lufs = 0.0;
    for (size_t i = 0; i < blend->n; i++) {
        const char *name = kk_voices_name(voices, blend->index[i]);
        const double *part = find(name);
        if (part == NULL)
            return kk_fail(err, KOKORO_LOUDNESS,
                           "the voice %s was never measured, so that it cannot be brought to a "
                           "loudness; leave the loudness out, or choose a volume",
                           name);
        sum += (double)blend->weight[i] * *part;
    }
    *lufs = sum;
    return KOKORO_OK;
}
