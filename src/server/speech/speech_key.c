/* speech_key.c - see speech_key.h. Every part stands with its length in front, so that no part can
 * be taken for two others. */
#include "server/speech/speech_key.h"

#include "base/hash.h"
#include "cache/blocks.h"

#include <string.h>

enum { MAX_PARTS = 16, WEIGHT_SIZE = 32 };

/* --- what speaks --- */

/* A file that is not there is told from any other. */
static uint64_t file_hash(const char *path, bool counts_time)
{
    kk_blocks blocks;
    if (path[0] == '\0' || kk_blocks_read(&blocks, path, "file", NULL) != KOKORO_OK)
        return 0;
    const uint64_t time = counts_time ? blocks.seconds * 1000000000 + blocks.nanoseconds : 0;
    return kk_blocks_hash(&blocks) + time;
}

uint64_t kk_speech_identity(const kokoro_engine_info *info, const kk_config *config)
{
    static const enum kk_setting_id files[] = {KK_SET_MODEL, KK_SET_VOICES, KK_SET_LEXICON,
                                               KK_SET_ESPEAK_HELPER};
    kk_buf text = KK_BUF_INIT;
    /* Another build of the same version may sound different. */
    kk_buf_appendf(&text, "%s %016llx", kokoro_version(),
                   (unsigned long long)file_hash("/proc/self/exe", true));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        kk_buf_appendf(&text, " %016llx",
                       (unsigned long long)file_hash(kk_config_text(config, files[i]), false));
    kk_buf_appendf(&text, " %s %s %s %s", info->provider, info->execution_provider, info->precision,
                   info->runtime_version);
    const uint64_t hash = text.failed ? 0 : kk_hash(text.data, text.len);
    kk_buf_fini(&text);
    return hash != 0 ? hash : 1;
}

uint64_t kk_speech_settings(const kk_config *config)
{
    /* Those without bearing on sound, or told by the identity or the request. */
    static const enum kk_setting_id passed_over[] = {
        KK_SET_HOME,
        KK_SET_CACHE,
        KK_SET_MODEL,
        KK_SET_VOICES,
        KK_SET_LEXICON,
        KK_SET_ORT_LIBRARY,
        KK_SET_OPENVINO_LIBRARY,
        KK_SET_ESPEAK_HELPER,
        KK_SET_HOST,
        KK_SET_PORT,
        KK_SET_WYOMING_PORT,
        KK_SET_WYOMING_HOST,
        KK_SET_WYOMING_WITHOUT_KEYS,
        KK_SET_WYOMING_ANNOUNCE,
        KK_SET_API_KEYS_FILE,
        KK_SET_ALLOW_ORIGINS,
        KK_SET_TRUSTED_PROXIES,
        KK_SET_MAX_CONNECTIONS,
        KK_SET_MAX_CONNECTIONS_PER_ADDRESS,
        KK_SET_DRAIN_S,
        KK_SET_PROVIDER,
        KK_SET_THREADS,
        KK_SET_CPU_MASK,
        KK_SET_PRECISION,
        KK_SET_VOICE,
        KK_SET_LOG_LEVEL,
        KK_SET_LOG_JSON,
        KK_SET_MAX_INPUT_CHARS,
        KK_SET_TTFA_TARGET_MS,
        KK_SET_MAX_QUEUE,
        KK_SET_SKIP_SILENCE,
        KK_SET_LOUDNESS,
        KK_SET_TRIM_AFTER_S,
        KK_SET_UNLOAD_AFTER_S,
        KK_SET_BENCHMARK_FREQUENCY,
        KK_SET_BENCHMARK_IDLE_S,
        KK_SET_BENCHMARK_MAX_S,
        KK_SET_SKIP_BENCHMARKING,
        KK_SET_DEVELOPMENT_MODE,
        KK_SET_FAST_STARTUP,
        KK_SET_MIN_IMPROVEMENT_PERCENT,
        KK_SET_MAX_QUALITY_DB,
        KK_SET_CACHE_MAX_MB,
        KK_SET_CACHE_MAX_TEMP_DIRS,
        KK_SET_CACHE_MAX_AGE_HOURS,
        KK_SET_CACHE_PATTERNS,
        KK_SET_RESULT_CACHE_MEMORY_MB,
        KK_SET_RESULT_CACHE_DISK_MB,
    };
    bool is_passed_over[KK_N_SETTINGS] = {false};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof(passed_over) / sizeof(passed_over[0]); i++)
        is_passed_over[passed_over[i]] = true;
    for (int id = 0; id < KK_N_SETTINGS; id++) {
        if (is_passed_over[id])
            continue;
        const char *value = kk_config_text(config, (enum kk_setting_id)id);
        const uint64_t parts[] = {
            hash, kk_hash(kk_settings[id].variable, strlen(kk_settings[id].variable)),
            kk_hash(value, strlen(value))};
        hash = kk_hash(parts, sizeof(parts));
    }
    return hash;
}

/* --- what is spoken --- */

typedef struct voice_part {
    kk_slice name;
    double weight;
} voice_part;

/* "name" or "name(2.5)", spaces around the name; false: neither. */
static bool parse_part(voice_part *out, kk_slice part)
{
    char number[WEIGHT_SIZE];
    part = kk_slice_trim(part);
    const char *open = part.len > 0 ? memchr(part.data, '(', part.len) : NULL;
    *out = (voice_part){part, 1.0};
    if (open == NULL)
        return part.len > 0;
    const size_t at = (size_t)(open - part.data), len = part.len - at;
    if (part.data[part.len - 1] != ')' || len < 3 || len - 2 >= sizeof(number))
        return false;
    memcpy(number, open + 1, len - 2);
    number[len - 2] = '\0';
    out->name = kk_slice_trim((kk_slice){part.data, at});
    return out->name.len > 0 && kk_parse_real(number, &out->weight) && out->weight > 0.0 &&
           out->weight <= 1000.0;
}

void kk_speech_voice(kk_buf *dst, const char *voice)
{
    voice_part parts[MAX_PARTS];
    size_t n = 0;
    double total = 0.0;
    kk_slice rest = kk_slice_of(voice);
    for (bool has_more = true; has_more; n++) {
        const char *plus = rest.len > 0 ? memchr(rest.data, '+', rest.len) : NULL;
        const size_t len = plus != NULL ? (size_t)(plus - rest.data) : rest.len;
        if (n == MAX_PARTS || !parse_part(&parts[n], (kk_slice){rest.data, len})) {
            kk_buf_append_str(dst, voice);
            return;
        }
        total += parts[n].weight;
        has_more = plus != NULL;
        if (has_more)
            rest = (kk_slice){plus + 1, rest.len - len - 1};
    }
    for (size_t i = 0; i < n; i++) {
        kk_buf_append_str(dst, i > 0 ? "+" : "");
        kk_buf_append_slice(dst, parts[i].name);
        if (n > 1)
            kk_buf_appendf(dst, "(%.7g)", parts[i].weight / total);
    }
}

static void add(kk_buf *dst, const char *name, kk_slice value)
{
    kk_buf_appendf(dst, "%s %zu ", name, value.len);
    kk_buf_append_slice(dst, value);
    kk_buf_append_char(dst, '\n');
}

static void add_text(kk_buf *dst, const char *name, const char *value)
{
    add(dst, name, kk_slice_of(value != NULL ? value : ""));
}

void kk_speech_key(kk_buf *dst, const kk_speech_request *request, uint64_t identity,
                   uint64_t settings)
{
    const kokoro_request *speak = &request->speak;
    kk_buf voice = KK_BUF_INIT;
    kk_speech_voice(&voice, speak->voice != NULL ? speak->voice : "");
    kk_buf_appendf(dst, "engine %016llx\nsettings %016llx\n", (unsigned long long)identity,
                   (unsigned long long)settings);
    add(dst, "voice", (kk_slice){kk_buf_str(&voice), voice.len});
    add_text(dst, "language", speak->language);
    kk_buf_appendf(dst, "speed %.17g\nphonemes %d\n", speak->speed, speak->is_phonemes);
    add_text(dst, "format", request->codec->name);
    add_text(dst, "type", request->content_type);
    kk_buf_appendf(dst, "rate %d\nbitrate %d\nvolume %.17g\n", request->encoding.sample_rate_hz,
                   request->encoding.bitrate_kbps, request->encoding.volume);
    /* The gain follows from it, the voice and this program's table. A voice that has none in that
     * is refused where it was asked for, and else as it is. */
    kk_buf_appendf(dst, "loudness %.17g %d\n", request->loudness_lufs, request->asks_loudness);
    /* A streamed answer is made in pieces, a little different from the whole, and by default leaves
     * out the silence before the first sound: neither is served for the other. */
    kk_buf_appendf(dst, "streamed %d\nsilence %d\n", request->is_streamed, request->skips_silence);
    kk_buf_appendf(dst, "pauses %.17g %.17g\n", speak->sentence_pause_s, speak->paragraph_pause_s);
    /* Words are told by their place in the client's text. */
    kk_buf_appendf(dst, "frame %d\nwords %d\nfront %zu\n", (int)request->frame, speak->wants_words,
                   speak->wants_words ? request->n_chars_in_front : 0);
    add_text(dst, "others", request->others);
    add(dst, "text", (kk_slice){speak->text, speak->text_len});
    dst->failed = dst->failed || voice.failed;
    kk_buf_fini(&voice);
}
