/*
 * kokoro.h - text to speech with the Kokoro-82M voice model.
 *
 *     kokoro_options options;
 *     kokoro_options_init(&options);
 *     options.model_path = "kokoro-v1.0.int8.onnx"; ... voices_path, lexicon_path ...
 *     kokoro_engine *engine = NULL;
 *     kokoro_error error;
 *     if (kokoro_open(&engine, &options, &error) != KOKORO_OK)
 *         return complain(error.message);
 *
 *     kokoro_request request;
 *     kokoro_request_init(&request);
 *     request.text = "Hello world.";
 *     request.text_len = strlen(request.text);
 *     status = kokoro_speak(engine, &request, write_samples, file, NULL, &error);
 *     kokoro_close(&engine);
 *
 * Audio is 24 kHz, mono, float in [-1, 1]. Text is UTF-8 and need not end in NUL.
 *
 * Functions return 0 (KOKORO_OK) or a negative kokoro_status. The last parameter `err` may be NULL;
 * where it is given it is filled on failure and left alone on success. On failure an out-parameter
 * is left NULL or zero: nothing needs to be released. The library never exits, prints or aborts on
 * input.
 *
 * Threads: one engine may be used by many threads at once. Closing it is the caller's last use of
 * it.
 */
#ifndef KOKORO_KOKORO_H
#define KOKORO_KOKORO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KOKORO_VERSION_MAJOR 0
#define KOKORO_VERSION_MINOR 1
#define KOKORO_VERSION_PATCH 0

#define KOKORO_SAMPLE_RATE_HZ 24000
/* One duration unit of the model: 600 samples = 25 ms. */
#define KOKORO_SAMPLES_PER_FRAME 600
/* The model's limit of phonemes in one chunk (512 ids less a pad in front and behind). */
#define KOKORO_MAX_PHONEMES 510
#define KOKORO_SPEED_MIN 0.25
#define KOKORO_SPEED_MAX 4.0
#define KOKORO_PAUSE_MAX_S 10.0
/* Of a loudness that speech is brought to, in LUFS. */
#define KOKORO_LOUDNESS_MIN (-40.0)
#define KOKORO_LOUDNESS_MAX (-10.0)

#if defined(__GNUC__)
#define KOKORO_API __attribute__((visibility("default")))
#define KOKORO_WARN_UNUSED __attribute__((warn_unused_result))
#else
#define KOKORO_API
#define KOKORO_WARN_UNUSED
#endif

/* X(name, value, text): the one list of statuses. */
#define KOKORO_STATUS_MAP(X)                                                                       \
    X(OK, 0, "success")                                                                            \
    X(INVALID, -1, "invalid argument")                                                             \
    X(NO_MEMORY, -2, "out of memory")                                                              \
    X(IO, -3, "input or output failed")                                                            \
    X(NOT_FOUND, -4, "file not found")                                                             \
    X(BAD_DATA, -5, "a data file is damaged or of another kind")                                   \
    X(BAD_MODEL, -6, "the model file is unusable")                                                 \
    X(PROVIDER, -7, "the provider is unavailable or failed")                                       \
    X(CANCELLED, -8, "cancelled by the caller")                                                    \
    X(TOO_LONG, -9, "the input is over a limit")                                                   \
    X(NO_SPEECH, -10, "the text holds nothing that can be spoken")                                 \
    X(BAD_TEXT, -11, "the text is not valid UTF-8")                                                \
    X(VOICE, -12, "unknown voice")                                                                 \
    X(LANGUAGE, -13, "unknown or unsupported language")                                            \
    X(SPEED, -14, "speed out of range")                                                            \
    X(BUSY, -15, "busy")                                                                           \
    X(PAUSES, -16, "the pauses are over a limit")                                                  \
    X(LOUDNESS, -17, "the loudness of the voice is not known")

enum kokoro_status {
#define KOKORO_X(name, value, text) KOKORO_##name = (value),
    KOKORO_STATUS_MAP(KOKORO_X)
#undef KOKORO_X
};

/* The text of a status in the list above; "unknown status" for any other number. Never NULL. */
KOKORO_API const char *kokoro_status_text(int status);

typedef struct kokoro_error {
    int status;        /* a kokoro_status */
    char message[512]; /* one sentence for a person: what is wrong and what would be right */
} kokoro_error;

/* "0.1.0" */
KOKORO_API const char *kokoro_version(void);

/* ---- engine ------------------------------------------------------------------------------- */

enum kokoro_log_level { KOKORO_LOG_ERROR, KOKORO_LOG_WARNING, KOKORO_LOG_INFO, KOKORO_LOG_DEBUG };

/* Called with one line, without newline. `line` is the library's, valid during the call. */
typedef void kokoro_log_fn(void *user, int level, const char *line);

/*
 * Which files of the cache were found whole. A checksum over the packed model takes longer than all
 * the rest of opening it; engines that are opened with the same one of these sum a file once, and
 * again when it has changed. Any number of threads and engines may use it; it outlives kokoro_open.
 * The caller frees it, which sets *known to NULL; NULL and a pointer to NULL are allowed. NULL from
 * _new: no memory.
 */
typedef struct kokoro_known_files kokoro_known_files;
KOKORO_API KOKORO_WARN_UNUSED kokoro_known_files *kokoro_known_files_new(void);
KOKORO_API void kokoro_known_files_free(kokoro_known_files **known);

typedef struct kokoro_options {
    size_t struct_size;        /* set by kokoro_options_init */
    const char *model_path;    /* the ONNX export; required */
    const char *voices_path;   /* packed voices (kokoro_pack_voices); required */
    const char *lexicon_path;  /* packed English lexicons (kokoro_pack_lexicon); NULL: none */
    const char *espeak_helper; /* program kokoro-espeak; NULL: none, unknown words are spelt */
    const char *ort_library;   /* libonnxruntime.so; NULL: none */
    const char *cache_dir;     /* optimised models are kept here; NULL: nothing is kept */
    const char *provider;      /* "auto" (default), "native", "onnxruntime", "openvino" */
    int n_threads;             /* 0: physical cores this process may use */
    kokoro_log_fn *log;        /* NULL: silent */
    void *log_user;
    const char *cpu_mask;  /* highest instruction set of native: "ref", "avx2", "avx512",
                              "avx512bf16", "neon"; NULL or "": what the CPU has */
    const char *precision; /* of native and openvino: "auto" (NULL), "f32", "bf16" */
    /*
     * Provider "auto" opens what the benchmark recommends whose record is in cache_dir, and each
     * use of it prolongs the record by its period, of which this is the length: "daily", "weekly"
     * (NULL), "monthly", "manually" (no end); with benchmark_extended 7, 14 and 60 days.
     */
    const char *benchmark_frequency;
    bool benchmark_extended;
    const char *openvino_library; /* libopenvino_c.so; NULL: none */
    bool wants_placement;         /* fill placement of kokoro_engine_info where a runtime can tell;
                                     opening takes longer and more memory */
    int n_at_once; /* inferences side by side, where the provider can: they share the threads, one
                      alone has them all; 0: as many as there are threads */
    kokoro_known_files *known_files; /* NULL: every file is summed */
} kokoro_options;

KOKORO_API void kokoro_options_init(kokoro_options *options);

typedef struct kokoro_engine kokoro_engine;

/*
 * Open the model, voices and lexicon and make the provider ready. Strings are copied.
 * Returns KOKORO_OK and an engine in *out that the caller closes; else *out is NULL:
 * INVALID, NO_MEMORY, NOT_FOUND, IO, BAD_DATA, BAD_MODEL, PROVIDER.
 */
KOKORO_API KOKORO_WARN_UNUSED int kokoro_open(kokoro_engine **out, const kokoro_options *options,
                                              kokoro_error *err);

/* Close the engine and set *engine to NULL. NULL and a pointer to NULL are allowed. */
KOKORO_API void kokoro_close(kokoro_engine **engine);

/* What runs the model, as /status and --stats show it. Strings live as long as the engine. */
typedef struct kokoro_engine_info {
    size_t struct_size;
    const char *provider;           /* "native" */
    const char *execution_provider; /* "native", "CPUExecutionProvider", "OpenVINO:CPU" */
    const char *precision;          /* "bf16", "f32", "file" */
    const char *runtime_version;    /* "avx512bf16", "1.32.0" */
    int n_threads;
    double load_ms; /* model load */
    double pack_ms; /* of which making the cached form; 0 when it was there */
    /* Why this one: "asked" (by its name); "measured" by a benchmark, "expired": the same, longer
     * ago than benchmark_frequency says; "unmeasured"; "fallback": what was recommended cannot be
     * used */
    const char *choice;
    const char *choice_reason; /* a sentence */
    const char *placement;     /* "CPUExecutionProvider: 3396 nodes", comma-separated; "" unknown */
} kokoro_engine_info;

KOKORO_API void kokoro_get_engine_info(const kokoro_engine *engine, kokoro_engine_info *info);

/* The period by which uses prolong the benchmark's record from now on; the options tell what the
 * values mean. From any thread; the engine runs on as it is. */
KOKORO_API void kokoro_set_benchmark_period(kokoro_engine *engine, const char *frequency,
                                            bool extended);

/* Give memory that is kept for the next speech back to the system, and pages of mapped weights: for
 * a caller who expects to be idle. The next inference is 1 to 20 ms slower. Takes its turn at
 * the model behind the requests that wait; with onnxruntime it is the shortest inference. */
KOKORO_API void kokoro_trim(kokoro_engine *engine);

/* What this engine does because of a peculiarity of something it did not make: a model export, a
 * library, a dictionary. Strings live as long as the engine. */
typedef struct kokoro_measure {
    const char *name;   /* "durations_output" */
    const char *target; /* whose peculiarity: "ONNX export" */
    bool applied;       /* false: not needed here, or it failed */
    const char *detail; /* a sentence */
    const char *error;  /* why it failed; "" else */
} kokoro_measure;

typedef void kokoro_measure_fn(void *user, const kokoro_measure *measure);

KOKORO_API void kokoro_list_measures(const kokoro_engine *engine, kokoro_measure_fn *fn,
                                     void *user);

/* ---- speech ------------------------------------------------------------------------------- */

/* What lies before or behind a text that is one part of a speech. */
enum kokoro_seam {
    KOKORO_SEAM_NONE,     /* nothing: the speech begins or ends there */
    KOKORO_SEAM_SENTENCE, /* another part */
    KOKORO_SEAM_CUT       /* another part, with a sentence across: its silence is a breath there */
};

typedef struct kokoro_request {
    size_t struct_size;
    const char *text; /* UTF-8, text_len bytes */
    size_t text_len;
    bool is_phonemes;     /* text holds the model's phonemes, not words */
    const char *voice;    /* "af_heart", or a blend "af_bella(2)+af_sky(1)"; NULL: af_heart */
    const char *language; /* "en-us", "en-gb" or an alias; NULL: from the voice */
    double speed;         /* 0.25 to 4; 1 is the voice's own */
    bool pieces;          /* give sound out while its chunk is still being made, where the provider
                             can: the first after some 0.55 s of speech, within 2 dB of the whole;
                             their lengths follow what a listener (see below) needs */
    /*
     * Somebody listens while it is made, and wants the first sound within so many seconds: among
     * requests that wait for the model the most pressed are served first, a listener who will soon
     * run dry before all, and sound is made in pieces as long as there is time for. 0: nobody
     * waits; it is served when no listener is pressed, its pieces always the same.
     */
    double first_sound_within_s;
    double buffered_s; /* sound of an earlier request that this listener has yet to hear */
    bool skip_silence; /* leave out what is silent before the first sound */
    uint64_t group;    /* whose request it is: groups share the model fairly; 0: nobody's */
    int seam_before, seam_after; /* an enum kokoro_seam each */
    /* Called once, when the text is read and can be spoken, before the model is waited for; from
     * then on only the model can fail. NULL: not called. */
    void (*accepted)(void *user);
    void *accepted_user;
    /* Asked every few milliseconds while it waits for the model or the model runs, on the calling
     * thread; true stops. NULL: never asked. */
    bool (*cancelled)(void *user);
    void *cancelled_user;
    bool wants_words;         /* tell when each word is heard; not of phonemes */
    double sentence_pause_s;  /* silence added between sentences, 0 to 10; each is then spoken for
                                 itself */
    double paragraph_pause_s; /* the same between paragraphs, where the longer of the two counts */
    double pauses_max_s;      /* of all these pauses together; 0: as long as they get */
} kokoro_request;

KOKORO_API void kokoro_request_init(kokoro_request *request);

/* A word of the text and when it is heard. What is read as several words ("42") is one. */
typedef struct kokoro_timed_word {
    size_t offset, len;    /* bytes of the request's text */
    double start_s, end_s; /* of the sound of the whole request as it is given out */
} kokoro_timed_word;

/* One chunk of speech, or with `pieces` a part of one, or a pause between two (which neither begins
 * nor ends a chunk), in order. Memory is the library's, valid during the call. */
typedef struct kokoro_chunk {
    const float *samples; /* [n_samples], 24 kHz mono */
    size_t n_samples;
    const int32_t *durations;      /* [n_durations] frames of 25 ms, a token each, pads included */
    size_t n_durations;            /* 0 when the model does not give them */
    size_t index;                  /* this chunk of ... */
    size_t n_chunks;               /* ... so many */
    size_t n_total;                /* samples that the whole request gives, when they are known: of
                                      one chunk; else 0 */
    bool begins_chunk, ends_chunk; /* both true without `pieces` */
    const kokoro_timed_word
        *words;     /* [n_words] that have been heard to their end with this; every */
    size_t n_words; /* word of the text is told once, in order. With wants_words, where the model
                       gives durations */
} kokoro_chunk;

/* Return 0 to go on, anything else to stop: the call then returns KOKORO_CANCELLED. */
typedef int kokoro_chunk_fn(void *user, const kokoro_chunk *chunk);

/* Where the phonemes of a word came from. X(name, text) */
#define KOKORO_SOURCE_MAP(X)                                                                       \
    X(GOLD, "gold")                                                                                \
    X(SILVER, "silver")                                                                            \
    X(RULE, "rule")                                                                                \
    X(OOV, "oov")                                                                                  \
    X(ESPEAK, "espeak")                                                                            \
    X(LETTERS, "letters")

enum kokoro_source {
#define KOKORO_X(name, text) KOKORO_SOURCE_##name,
    KOKORO_SOURCE_MAP(KOKORO_X)
#undef KOKORO_X
        KOKORO_N_SOURCES
};

KOKORO_API const char *kokoro_source_text(int source);

typedef struct kokoro_stats {
    double audio_s;        /* speech made, as the model returned it */
    double g2p_ms;         /* text to phonemes */
    double model_ms;       /* inference */
    double wait_ms;        /* waiting for other requests' inferences */
    double first_audio_ms; /* from the call to the first chunk */
    size_t n_chunks;
    size_t n_phonemes;
    size_t g2p_sources[KOKORO_N_SOURCES]; /* words by source */
    size_t unknown_symbols;               /* phoneme symbols the model does not know, dropped */
    double pauses_s; /* silence that goes between sentences and paragraphs, known when the request
                        is accepted; not in audio_s */
} kokoro_stats;

/*
 * Speak the request; `fn` receives each chunk as it is made, on the calling thread.
 * `stats` may be NULL; it is filled, as far as the work went, on failure too. It is kept up to date
 * during the call, so that `fn` may read it: model_ms then holds every inference that has ended.
 * Returns KOKORO_OK; INVALID, NO_MEMORY, BAD_TEXT, NO_SPEECH, VOICE, LANGUAGE, SPEED, PAUSES (all
 * before any sound), PROVIDER, CANCELLED, TOO_LONG: a chunk, which has at most 510 phonemes, and at
 * a speed below 0.5 less in proportion, would last more than 150 s, as in no voice it does.
 */
KOKORO_API KOKORO_WARN_UNUSED int kokoro_speak(kokoro_engine *engine, const kokoro_request *request,
                                               kokoro_chunk_fn *fn, void *user, kokoro_stats *stats,
                                               kokoro_error *err);

/* Check voice, language and speed of a request without speaking; the statuses of kokoro_speak. */
KOKORO_API int kokoro_check_request(kokoro_engine *engine, const kokoro_request *request,
                                    kokoro_error *err);

/* ---- phonemes ----------------------------------------------------------------------------- */

typedef struct kokoro_word {
    size_t offset; /* bytes into the text given */
    size_t len;
    const char *text;     /* as it was read, after normalisation */
    const char *phonemes; /* the model's symbols */
    int source;           /* a kokoro_source */
} kokoro_word;

typedef struct kokoro_phonemes {
    char *text;         /* the whole phoneme string; "" for text without speech */
    kokoro_word *words; /* [n_words] */
    size_t n_words;
    void *owner;
} kokoro_phonemes;

/*
 * Text to the model's phonemes. `language` NULL: en-us.
 * Only lexicon_path and espeak_helper of the options are used: see kokoro_open_phonemizer.
 */
KOKORO_API KOKORO_WARN_UNUSED int kokoro_phonemize(kokoro_engine *engine, const char *text,
                                                   size_t text_len, const char *language,
                                                   kokoro_phonemes **out, kokoro_error *err);
KOKORO_API void kokoro_phonemes_free(kokoro_phonemes **phonemes);

/* An engine that phonemizes but has no model and no voices: quick to open. kokoro_speak on it is
 * INVALID. */
KOKORO_API KOKORO_WARN_UNUSED int
kokoro_open_phonemizer(kokoro_engine **out, const kokoro_options *options, kokoro_error *err);

/* ---- text that arrives in pieces ---------------------------------------------------------- */

/*
 * Bytes in, clauses to speak out: for text whose end is not there yet, as a language model writes
 * it. A clause ends
 *
 *     with its sentence, as soon as what follows shows that it has ended (not behind Dr. or 3.)
 *     at a line break
 *     the first one also behind , ; : or a dash, once it is long enough to sound natural
 *     a very long one behind such a mark, or between two words
 *
 * A sentence of a few letters goes with the next one. The clauses, joined, are the text, and they
 * do not depend on how it was cut into pieces, which may be inside a character.
 */
typedef struct kokoro_clauses kokoro_clauses;

/* A clause, valid during the call. `is_cut`: its sentence goes on in the next one. Return 0 to go
 * on, else the call that gave it returns KOKORO_CANCELLED. */
typedef int kokoro_clause_fn(void *user, const char *text, size_t text_len, bool is_cut);

enum kokoro_flush {
    KOKORO_FLUSH_SENTENCE, /* a pause: what is there, if a sentence may end with it */
    KOKORO_FLUSH_WORDS,    /* a long pause: the whole words that are there */
    KOKORO_FLUSH_ALL       /* the end of the text */
};

/* NO_MEMORY. */
KOKORO_API KOKORO_WARN_UNUSED int kokoro_clauses_open(kokoro_clauses **out, kokoro_error *err);
KOKORO_API void kokoro_clauses_close(kokoro_clauses **clauses);
/* More text. CANCELLED, NO_MEMORY. Bytes that are not UTF-8 go through. */
KOKORO_API KOKORO_WARN_UNUSED int kokoro_clauses_add(kokoro_clauses *clauses, const char *text,
                                                     size_t text_len, kokoro_clause_fn *fn,
                                                     void *user, kokoro_error *err);
/* What is there without waiting for more, by `kind` (a kokoro_flush). CANCELLED, NO_MEMORY. */
KOKORO_API KOKORO_WARN_UNUSED int kokoro_clauses_flush(kokoro_clauses *clauses, int kind,
                                                       kokoro_clause_fn *fn, void *user,
                                                       kokoro_error *err);

/* ---- voices and providers ----------------------------------------------------------------- */

typedef struct kokoro_voice {
    const char *id;       /* "af_heart" */
    const char *language; /* "en-us" */
    const char *gender;   /* "female" or "male" */
} kokoro_voice;

/* Voices in alphabetical order. Strings live as long as the engine. */
KOKORO_API size_t kokoro_voice_count(const kokoro_engine *engine);
KOKORO_API int kokoro_get_voice(const kokoro_engine *engine, size_t index, kokoro_voice *out);

/*
 * How loud a voice or a blend (as in kokoro_request) speaks: integrated loudness of ITU-R BS.1770-4
 * in LUFS, from a table of measured voices, so that it is known before the first sample.
 * target - *lufs are the decibels that bring its speech to a target. VOICE: there is none of that
 * name; LOUDNESS: it, or a part of the blend, was never measured; INVALID: no voices.
 */
KOKORO_API int kokoro_voice_loudness(const kokoro_engine *engine, const char *voice, double *lufs,
                                     kokoro_error *err);

/* List voices without opening a model: `fn` gets each; returns NOT_FOUND, BAD_DATA, IO. */
KOKORO_API int kokoro_list_voices(const char *voices_path,
                                  void (*fn)(void *user, const kokoro_voice *voice), void *user,
                                  kokoro_error *err);

typedef struct kokoro_provider {
    const char *name; /* "native", "onnxruntime", "openvino" */
    bool available;
    const char *version; /* of its library, of native the instruction set; "" when absent */
    const char *execution_providers; /* "CPUExecutionProvider", comma-separated */
    const char *reason;              /* why not available, and what would help; "" else */
} kokoro_provider;

/* Names of the providers that this build knows, best first; NULL behind the last. */
KOKORO_API const char *kokoro_provider_name(size_t index);

/*
 * A provider, present or not; strings are valid during the call. Its library is loaded for that,
 * and one that crashes then takes this process with it. INVALID: there is none of that name.
 */
KOKORO_API int kokoro_describe_provider(const kokoro_options *options, const char *name,
                                        void (*fn)(void *user, const kokoro_provider *provider),
                                        void *user, kokoro_error *err);
/* The same of each of them. */
KOKORO_API int kokoro_list_providers(const kokoro_options *options,
                                     void (*fn)(void *user, const kokoro_provider *provider),
                                     void *user, kokoro_error *err);

/* What a provider keeps in options->cache_dir and would open there. */
typedef struct kokoro_cached {
    const char *provider; /* "native" */
    const char *folder;   /* below the cache directory, where all of its kind lies */
    const char *path;     /* the file, which need not exist yet; NULL: it cannot be told, and ... */
    const char *reason;   /* ... why; NULL else */
} kokoro_cached;

/* What each provider would open in the cache with these options, so that a clean-up can spare it;
 * no model is opened. Strings are valid during the call. INVALID: no model_path or cache_dir. */
KOKORO_API int kokoro_list_cached(const kokoro_options *options,
                                  void (*fn)(void *user, const kokoro_cached *cached), void *user,
                                  kokoro_error *err);

/* ---- set-up ------------------------------------------------------------------------------- */

/* Pack a directory of <voice>.bin (little-endian float32 [510][256]) into one mapped file,
 * atomically. */
KOKORO_API int kokoro_pack_voices(const char *dst_path, const char *src_dir, kokoro_error *err);

/* Pack misaki's {us,gb}_{gold,silver}.json of a directory into one mapped file, atomically. */
KOKORO_API int kokoro_pack_lexicon(const char *dst_path, const char *src_dir, kokoro_error *err);

#ifdef __cplusplus
}
#endif

#endif
