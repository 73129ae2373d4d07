/* options.h - places of the commands' own options in their tables and in kk_app.values. */
#ifndef KK_APPS_OPTIONS_H
#define KK_APPS_OPTIONS_H

enum kk_say_option {
    KK_SAY_FILE,
    KK_SAY_VOICE,
    KK_SAY_OUTPUT,
    KK_SAY_FORMAT,
    KK_SAY_SPEED,
    KK_SAY_LANG,
    KK_SAY_PHONEMES,
    KK_SAY_PIECES,
    KK_SAY_REPEAT,
    KK_SAY_PLAY,
    KK_SAY_STATS
};

enum kk_phonemize_option { KK_PHONEMIZE_FILE, KK_PHONEMIZE_LANG, KK_PHONEMIZE_JSON };

enum kk_benchmark_option { KK_BENCHMARK_KERNELS, KK_BENCHMARK_JSON };

enum kk_frequency_option { KK_FREQUENCY_SHOW, KK_FREQUENCY_SET, KK_FREQUENCY_JSON };

enum kk_cache_option {
    KK_CACHE_STATUS,
    KK_CACHE_CLEAR,
    KK_CACHE_FORCE,
    KK_CACHE_INSPECT,
    KK_CACHE_JSON
};

/* voices, providers, doctor */
enum kk_list_option { KK_LIST_JSON };

#endif
