/*
 * config.h - what the user has set: one table of settings, read in the order option, environment,
 * .env in the working directory, default.
 *
 * A setting marked safe may stand in .env; paths of libraries, helpers and models may not, because
 * whoever can put a file into a directory must not be able to choose what a program started there
 * loads. The last assignment of a name in .env wins.
 */
#ifndef KK_CONFIG_CONFIG_H
#define KK_CONFIG_CONFIG_H

#include "base/arena.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * X(id, variable, option or "", type, min, max, choices, default, safe, help)
 * min and max are the range of an INT or REAL; choices are the words of a CHOICE, separated by
 * single spaces; behind a word may stand others for it, as in "manually|manual". A REAL may have
 * the one word that it can be besides its range.
 */
#define KK_SETTING_MAP(X)                                                                          \
    X(HOME, "KOKORO_HOME", "home", PATH, 0, 0, "", "", false,                                      \
      "directory of model, voices, lexicons, history and reports; default: kokoro in "             \
      "$XDG_DATA_HOME or in ~/.local/share")                                                       \
    X(CACHE, "KOKORO_CACHE", "cache-dir", PATH, 0, 0, "", "", false,                               \
      "directory of cached files; default: cache in the home directory")                           \
    X(MODEL, "KOKORO_MODEL", "model", PATH, 0, 0, "", "", false,                                   \
      "the Kokoro-82M model, an ONNX export; default: this and the next in the home directory")    \
    X(VOICES, "KOKORO_VOICES", "voices", PATH, 0, 0, "", "", false, "the packed voices")           \
    X(LEXICON, "KOKORO_LEXICON", "lexicon", PATH, 0, 0, "", "", false,                             \
      "the packed English lexicons")                                                               \
    X(ORT_LIBRARY, "KOKORO_ORT_LIBRARY", "ort-library", PATH, 0, 0, "", "", false,                 \
      "the ONNX Runtime library")                                                                  \
    X(OPENVINO_LIBRARY, "KOKORO_OPENVINO_LIBRARY", "openvino-library", PATH, 0, 0, "", "", false,  \
      "the OpenVINO C library")                                                                    \
    X(ESPEAK_HELPER, "KOKORO_ESPEAK_HELPER", "espeak-helper", PATH, 0, 0, "", "", false,           \
      "the program that pronounces unknown words with espeak-ng")                                  \
    X(HOST, "KOKORO_HOST", "host", TEXT, 0, 0, "", "127.0.0.1", true, "address to listen on")      \
    X(PORT, "KOKORO_PORT", "port", INT, 0, 65535, "", "8000", true,                                \
      "port to listen on; 0: any free one")                                                        \
    X(WYOMING_PORT, "KOKORO_WYOMING_PORT", "wyoming-port", INT, 0, 65535, "", "0", true,           \
      "port of the Wyoming protocol (Home Assistant), usually 10200; 0: off")                      \
    X(WYOMING_HOST, "KOKORO_WYOMING_HOST", "", TEXT, 0, 0, "", "", true,                           \
      "address of that port; default: that of KOKORO_HOST")                                        \
    X(WYOMING_WITHOUT_KEYS, "KOKORO_WYOMING_WITHOUT_KEYS", "", BOOL, 0, 0, "", "false", false,     \
      "let other machines use that port, whose protocol knows no keys, though keys are set")       \
    X(WYOMING_ANNOUNCE, "KOKORO_WYOMING_ANNOUNCE", "wyoming-announce", BOOL, 0, 0, "", "false",    \
      true, "tell the local network of that port by mDNS, so that Home Assistant finds it")        \
    X(API_KEYS_FILE, "KOKORO_API_KEYS_FILE", "", PATH, 0, 0, "", "", false,                        \
      "file of hashed keys, one of which a client must have; kokoro keys makes them")              \
    X(ALLOW_ORIGINS, "KOKORO_ALLOW_ORIGINS", "", TEXT, 0, 0, "", "", true,                         \
      "origins whose pages may use the server, such as https://example.org, separated by spaces")  \
    X(TRUSTED_PROXIES, "KOKORO_TRUSTED_PROXIES", "", TEXT, 0, 0, "", "", true,                     \
      "addresses or networks of proxies whose X-Forwarded-For, X-Forwarded-Host and Forwarded "    \
      "count")                                                                                     \
    X(MAX_CONNECTIONS, "KOKORO_MAX_CONNECTIONS", "", INT, 16, 60000, "", "2048", true,             \
      "connections at once; more wait until one of the idle ones was closed")                      \
    X(MAX_CONNECTIONS_PER_ADDRESS, "KOKORO_MAX_CONNECTIONS_PER_ADDRESS", "", INT, 0, 60000, "",    \
      "0", true, "the same of one address; more are closed at once; 0: no such limit")             \
    X(DRAIN_S, "KOKORO_DRAIN_S", "", INT, 0, 86400, "", "60", true,                                \
      "seconds that a server that was told to stop gives to what it is speaking")                  \
    X(PROVIDER, "KOKORO_PROVIDER", "provider", TEXT, 0, 0, "", "auto", true,                       \
      "what runs the model; kokoro providers lists them")                                          \
    X(THREADS, "KOKORO_THREADS", "threads", INT, 0, 1024, "", "0", true,                           \
      "threads of the model; 0: the physical cores this process may use")                          \
    X(CPU_MASK, "KOKORO_CPU_MASK", "", CHOICE, 0, 0, "ref avx2 avx512 avx512bf16 neon", "", true,  \
      "highest instruction set to use; default: what the CPU has")                                 \
    X(PRECISION, "KOKORO_PRECISION", "precision", CHOICE, 0, 0, "auto f32 bf16", "auto", true,     \
      "of the providers native and openvino: bf16 rounds the inputs of the large convolutions")    \
    X(VOICE, "KOKORO_VOICE", "voice", TEXT, 0, 0, "", "af_heart", true, "default voice")           \
    X(LOG_LEVEL, "KOKORO_LOG_LEVEL", "log-level", CHOICE, 0, 0, "error warning info debug",        \
      "info", true, "least urgent kind of line to log")                                            \
    X(LOG_JSON, "KOKORO_LOG_JSON", "log-json", BOOL, 0, 0, "", "false", true,                      \
      "log lines as JSON objects")                                                                 \
    X(MAX_INPUT_CHARS, "KOKORO_MAX_INPUT_CHARS", "max-input-chars", INT, 1, 100000000, "",         \
      "100000", true, "longest text of one request, in characters")                                \
    X(TTFA_TARGET_MS, "KOKORO_TTFA_TARGET_MS", "ttfa-target-ms", INT, 1, 60000, "", "250", true,   \
      "time to the first sound that counts as good, in ms")                                        \
    X(MAX_QUEUE, "KOKORO_MAX_QUEUE", "max-queue", INT, 1, 4096, "", "64", true,                    \
      "requests that may wait for their turn; more are refused with 429")                          \
    X(SKIP_SILENCE, "KOKORO_SKIP_SILENCE", "skip-silence", BOOL, 0, 0, "", "true", true,           \
      "leave out the silence before the first sound of a streamed answer")                         \
    X(LOUDNESS, "KOKORO_LOUDNESS", "loudness", REAL, -40, -10, "0", "0", true,                     \
      "loudness to bring every voice to, in LUFS (BS.1770), such as -16; 0: as the voice is")      \
    X(TRIM_AFTER_S, "KOKORO_TRIM_AFTER_S", "", REAL, 0, 86400, "", "10", true,                     \
      "seconds without speech after which the server gives memory back; 0: never")                 \
    X(UNLOAD_AFTER_S, "KOKORO_UNLOAD_AFTER_S", "", REAL, 0, 100000000, "", "0", true,              \
      "seconds without speech after which the server closes the model, until the next request; "   \
      "0: never")                                                                                  \
    X(BENCHMARK_FREQUENCY, "KOKORO_BENCHMARK_FREQUENCY", "", CHOICE, 0, 0,                         \
      "daily weekly monthly manually|manual", "weekly", true,                                      \
      "how long the result of a benchmark is good: 24 hours, 7 days, 30 days, or until asked")     \
    X(BENCHMARK_IDLE_S, "KOKORO_BENCHMARK_IDLE_S", "", INT, 0, 86400, "", "60", true,              \
      "seconds without a request after which the server may benchmark")                            \
    X(BENCHMARK_MAX_S, "KOKORO_BENCHMARK_MAX_S", "", INT, 0, 86400, "", "0", true,                 \
      "seconds that a benchmark may take, where that is less than its own 30 (quick) or 300; 0: "  \
      "no less")                                                                                   \
    X(SKIP_BENCHMARKING, "KOKORO_SKIP_BENCHMARKING", "", BOOL, 0, 0, "", "false", true,            \
      "the server never benchmarks by itself")                                                     \
    X(DEVELOPMENT_MODE, "KOKORO_DEVELOPMENT_MODE", "", BOOL, 0, 0, "", "false", true,              \
      "results of benchmarks are good for longer: 7, 14, 60 days")                                 \
    X(FAST_STARTUP, "KOKORO_FAST_STARTUP", "", BOOL, 0, 0, "", "false", true,                      \
      "the same for machines that start often")                                                    \
    X(MIN_IMPROVEMENT_PERCENT, "KOKORO_MIN_IMPROVEMENT_PERCENT", "", REAL, 0, 1000, "", "5", true, \
      "how much faster another way to run the model must be before it is chosen")                  \
    X(MAX_QUALITY_DB, "KOKORO_MAX_QUALITY_DB", "", REAL, 0, 100, "", "1.0", true,                  \
      "log-mel distance from native in f32 up to which a way to run the model may be chosen")      \
    X(CACHE_MAX_MB, "KOKORO_CACHE_MAX_MB", "", INT, 1, 100000000, "", "500", true,                 \
      "size of the cache over which a clean-up removes the oldest files")                          \
    X(CACHE_MAX_TEMP_DIRS, "KOKORO_CACHE_MAX_TEMP_DIRS", "", INT, 0, 1000000, "", "10", true,      \
      "temporary directories that a clean-up of the cache leaves")                                 \
    X(CACHE_MAX_AGE_HOURS, "KOKORO_CACHE_MAX_AGE_HOURS", "", REAL, 0, 1000000, "", "24", true,     \
      "age over which a clean-up removes files of the cache that nothing needs")                   \
    X(CACHE_PATTERNS, "KOKORO_CACHE_PATTERNS", "", TEXT, 0, 0, "",                                 \
      "tmp* *.tmp *.log.* benchmark_*.log coreml_context_*", true,                                 \
      "names of files that a clean-up of the cache removes, separated by spaces")                  \
    X(RESULT_CACHE_MEMORY_MB, "KOKORO_RESULT_CACHE_MEMORY_MB", "", INT, 0, 1000000, "", "32",      \
      true, "memory for answers that may be asked for again, in MB; 0: none are kept there")       \
    X(RESULT_CACHE_DISK_MB, "KOKORO_RESULT_CACHE_DISK_MB", "", INT, 0, 100000000, "", "0", true,   \
      "room for them in the cache directory, where they outlive the server, in MB; 0: none")

enum kk_setting_type {
    KK_SETTING_PATH,
    KK_SETTING_TEXT,
    KK_SETTING_INT,
    KK_SETTING_REAL,
    KK_SETTING_BOOL,
    KK_SETTING_CHOICE
};

enum kk_setting_id {
#define KK_X(id, variable, option, type, min, max, choices, def, safe, help) KK_SET_##id,
    KK_SETTING_MAP(KK_X)
#undef KK_X
        KK_N_SETTINGS
};

typedef struct kk_setting {
    const char *variable; /* "KOKORO_PORT" */
    const char *option;   /* "port" for --port; "" for none */
    enum kk_setting_type type;
    long long min, max;  /* of INT and REAL */
    const char *choices; /* of CHOICE, "error warning info debug"; of some REAL "0"; "" else */
    const char *def;
    bool safe; /* may be set by .env */
    const char *help;
} kk_setting;

extern const kk_setting kk_settings[KK_N_SETTINGS];

enum kk_setting_origin { KK_FROM_DEFAULT, KK_FROM_DOTENV, KK_FROM_ENVIRONMENT, KK_FROM_OPTION };

typedef struct kk_config {
    const char *value[KK_N_SETTINGS]; /* never NULL once loaded; "" where nothing is set */
    enum kk_setting_origin origin[KK_N_SETTINGS];
    kk_arena arena; /* owns the values */
} kk_config;

/* Start with nothing but options: then kk_config_set_option for each, then kk_config_load. */
void kk_config_init(kk_config *config);
void kk_config_fini(kk_config *config);

/* An option of the command line; the last one of a setting wins. INVALID (bad value: names the
 * option, the value and what is right), NO_MEMORY. */
int kk_config_set_option(kk_config *config, enum kk_setting_id id, const char *value,
                         kokoro_error *err);

/*
 * Fill what no option set from the environment, `dotenv_path` (NULL or absent file: none) and the
 * defaults; an empty value sets nothing, and a value that is not used is not judged. Then work out
 * the paths that hang on others: HOME, CACHE, MODEL, VOICES, LEXICON, ORT_LIBRARY,
 * OPENVINO_LIBRARY, ESPEAK_HELPER (beside the program, else in HOME/bin). INVALID names the
 * variable and where it was set. A warning each: an unsafe name in .env; a .env that cannot be
 * read; one with lines that assign nothing, or that is no text.
 */
int kk_config_load(kk_config *config, const char *dotenv_path,
                   void (*warn)(void *user, const char *line), void *user, kokoro_error *err);

/* As kk_config_load, with the options of `before`: what the settings are now. INVALID also where
 * .env is one that would be warned of so, and no longer sets what it did: it was cut or
 * overwritten. */
int kk_config_load_again(kk_config *config, const kk_config *before, const char *dotenv_path,
                         void (*warn)(void *user, const char *line), void *user, kokoro_error *err);

/*
 * The settings that came from the command line, but for those of `except`, as options for another
 * run of the program: "--name=value" behind arguments[*n], which has room for KK_N_SETTINGS more.
 * They lie in the arena. NO_MEMORY.
 */
int kk_config_arguments(const kk_config *config, const enum kk_setting_id *except, size_t n_except,
                        kk_arena *arena, const char **arguments, size_t *n);

/* The file in the working directory. */
#define KK_DOTENV_PATH ".env"

const char *kk_config_text(const kk_config *config, enum kk_setting_id id);
long long kk_config_int(const kk_config *config, enum kk_setting_id id);
double kk_config_real(const kk_config *config, enum kk_setting_id id);
bool kk_config_bool(const kk_config *config, enum kk_setting_id id);
/* Place of the value among the choices of a CHOICE; -1 where nothing is set. Of LOG_LEVEL it is a
 * kokoro_log_level. */
int kk_config_choice(const kk_config *config, enum kk_setting_id id);

/* kokoro_options of these settings; the strings belong to the config. Paths that do not exist stay
 * as they are. */
void kk_config_engine_options(const kk_config *config, kokoro_options *options);

/* Where things lie below KOKORO_HOME. */
#define KK_HOME_CACHE "cache"
#define KK_HOME_MODEL "model/kokoro-v1.0.int8.onnx"
#define KK_HOME_VOICES "voices/voices.pack"
#define KK_HOME_LEXICON "lexicon/english.pack"
#define KK_HOME_ORT_LIBRARY "lib/libonnxruntime.so"
#define KK_HOME_OPENVINO_LIBRARY "lib/openvino/libopenvino_c.so"
/* The name of that program, also when it stands beside the running one. */
#define KK_ESPEAK_HELPER_NAME "kokoro-espeak"
#define KK_HOME_ESPEAK_HELPER "bin/" KK_ESPEAK_HELPER_NAME

#endif
