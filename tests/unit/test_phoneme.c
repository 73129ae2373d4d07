/*
 * Phonemes: the rules on a small lexicon that the test packs itself, the helper in health and in
 * every kind of trouble, and lexicon files in every state of damage.
 */
#include "check.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"
#include "phoneme/espeak_map.h"
#include "phoneme/phoneme.h"
#include "phoneme/stress.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/kokoro-phoneme-XXXXXX", pack_path[128];

static const char us_gold[] =
    "{\"a\":\"\xC9\x90\",\"hello\":\"h\xC9\x99l\xCB\x88O\",\"world\":"
    "\"w\xCB\x88\xC9\x9C\xC9\xB9ld\","
    "\"to\":\"t\xCB\x88u\",\"that\":{\"DEFAULT\":\"\xC3\xB0\xC3\xA6t\",\"DT\":"
    "\"\xC3\xB0\xCB\x88\xC3\xA6t\"},"
    "\"can\":{\"DEFAULT\":\"k\xC3\xA6n\",\"None\":\"k\xCB\x88\xC3\xA6n\"},"
    "\"read\":{\"DEFAULT\":\"\xC9\xB9\xCB\x88id\",\"VBD\":\"\xC9\xB9\xCB\x88\xC9\x9B"
    "d\",\"VBN\":\"\xC9\xB9\xCB\x88\xC9\x9B"
    "d\",\"ADJ\":null},"
    "\"use\":{\"DEFAULT\":\"j\xCB\x88uz\",\"NOUN\":\"j\xCB\x88us\"},"
    "\"used\":{\"DEFAULT\":\"j\xCB\x88uzd\",\"VBD\":\"j\xCB\x88ust\"},"
    "\"wait\":\"w\xCB\x88"
    "At\",\"bus\":\"b\xCB\x88\xCA\x8Cs\",\"dog\":\"d\xCB\x88\xC9\x94\xC9\xA1\",\"cat\":"
    "\"k\xCB\x88\xC3\xA6t\","
    "\"make\":\"m\xCB\x88"
    "Ak\",\"stop\":\"st\xCB\x88\xC9\x91p\",\"city\":\"s\xCB\x88\xC9\xAAti\",\"well\":"
    "\"w\xCB\x88\xC9\x9Bl\","
    "\"ninety\":\"n\xCB\x88Indi\",\"nine\":\"n\xCB\x88In\",\"am\":\"\xCB\x88\xC3\xA6m\",\"apple\":"
    "\"\xCB\x88\xC3\xA6p\xE1\xB5\x8Al\","
    "\"will\":\"w\xC9\xAAl\",\"have\":\"h\xC3\xA6v\",\"and\":\"\xC3\xA6nd\",\"it\":\"\xC9\xAAt\","
    "\"i\":\"\xCB\x88I\",\"F\":\"\xCB\x88\xC9\x9B"
    "f\",\"B\":\"b\xCB\x88i\",\"I\":\"\xCB\x88I\"}";
static const char us_silver[] = "{\"zorp\":\"z\xCB\x88\xC9\x94\xC9\xB9p\",\"dog\":\"x\"}";
static const char gb_gold[] = "{\"bus\":\"b\xCB\x88\xCA\x8Cs\",\"wait\":\"w\xCB\x88"
                              "At\",\"hello\":\"h\xC9\x99l\xCB\x88Q\"}";
static const char gb_silver[] = "{\"colour\":\"k\xCB\x88\xCA\x8Cl\xC9\x99\"}";

static void put(const char *name, const char *text)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    kk_writer writer;
    CHECK_INT(kk_writer_open(&writer, path, NULL), KOKORO_OK);
    kk_writer_write(&writer, text, strlen(text));
    CHECK_INT(kk_writer_commit(&writer, NULL), KOKORO_OK);
}

static kk_phonemizer *open_with(const char *helper)
{
    kk_phonemizer *phonemizer = NULL;
    kokoro_error err = {0, ""};
    const kk_phonemizer_options options = {.lexicon_path = pack_path, .espeak_helper = helper};
    CHECK_INT(kk_phonemizer_open(&phonemizer, &options, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    return phonemizer;
}

/* The phonemes of a text's sentences in a row; the source of the last word in *source. */
static void say(kk_phonemizer *phonemizer, const char *text, enum kk_language language, kk_buf *dst,
                int *source)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_text read;
    CHECK_INT(kk_text_read(&arena, kk_slice_of(text), language, &read, NULL), KOKORO_OK);
    for (size_t i = 0; i < read.n_sentences; i++) {
        kk_spoken spoken;
        CHECK_INT(
            kk_phonemize(phonemizer, &arena, &read.sentences[i], language, NULL, &spoken, NULL),
            KOKORO_OK);
        CHECK_INT(spoken.n_words, read.sentences[i].n_tokens);
        kk_buf_appendf(dst, "%s%s", i > 0 ? " " : "", spoken.phonemes);
        for (size_t k = 0; k < spoken.n_words; k++) {
            if (spoken.words[k].source >= 0)
                *source = spoken.words[k].source;
        }
    }
    kk_arena_fini(&arena);
}

static void check_said(kk_phonemizer *phonemizer, const char *text, enum kk_language language,
                       const char *want, int want_source)
{
    kk_buf got = KK_BUF_INIT;
    int source = -1;
    say(phonemizer, text, language, &got, &source);
    CHECK_STR(kk_buf_str(&got), want);
    CHECK_INT(source, want_source);
    kk_buf_fini(&got);
}

enum { GOLD = KOKORO_SOURCE_GOLD, SILVER = KOKORO_SOURCE_SILVER, RULE = KOKORO_SOURCE_RULE };

TEST(set_up)
{
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(pack_path, sizeof(pack_path), "%s/english.pack", dir);
    put("us_gold.json", us_gold);
    put("us_silver.json", us_silver);
    put("gb_gold.json", gb_gold);
    put("gb_silver.json", gb_silver);
    kokoro_error err = {0, ""};
    CHECK_INT(kokoro_pack_lexicon(pack_path, dir, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
}

TEST(words_come_from_the_lexicon)
{
    kk_phonemizer *p = open_with(NULL);
    check_said(p, "Hello world", KK_LANG_EN_US, "həlˈO wˈɜɹld", GOLD);
    check_said(p, "hello", KK_LANG_EN_GB, "həlˈQ", GOLD);
    check_said(p, "zorp", KK_LANG_EN_US, "zˈɔɹp", SILVER);
    check_said(p, "Zorp", KK_LANG_EN_US, "zˈɔɹp", SILVER);
    check_said(p, "dog", KK_LANG_EN_US, "dˈɔɡ", GOLD); /* gold before silver */
    check_said(p, "colour", KK_LANG_EN_GB, "kˈʌlə", SILVER);
    kk_phonemizer_close(&p);
    CHECK(p == NULL);
}

TEST(small_words_hang_on_what_follows)
{
    kk_phonemizer *p = open_with(NULL);
    check_said(p, "to dog", KK_LANG_EN_US, "tə dˈɔɡ", GOLD);
    check_said(p, "to apple", KK_LANG_EN_US, "tʊ ˈæpᵊl", GOLD);
    check_said(p, "wait to.", KK_LANG_EN_US, "wˈAt tˈu.", RULE);
    check_said(p, "the dog", KK_LANG_EN_US, "ðə dˈɔɡ", GOLD);
    check_said(p, "the apple", KK_LANG_EN_US, "ði ˈæpᵊl", GOLD);
    check_said(p, "a dog", KK_LANG_EN_US, "ɐ dˈɔɡ", GOLD);
    check_said(p, "can wait", KK_LANG_EN_US, "kæn wˈAt", GOLD);
    check_said(p, "it can.", KK_LANG_EN_US, "ɪt kˈæn.", GOLD);
    check_said(p, "in it", KK_LANG_EN_US, "ɪn ɪt", GOLD);
    check_said(p, "wait in.", KK_LANG_EN_US, "wˈAt ˈɪn.", RULE);
    check_said(p, "I am dog", KK_LANG_EN_US, "ˌI ɐm dˈɔɡ", GOLD);
    kk_phonemizer_close(&p);
}

TEST(heteronyms_hang_on_their_part_of_speech)
{
    kk_phonemizer *p = open_with(NULL);
    check_said(p, "I will read it", KK_LANG_EN_US, "ˌI wɪl ɹˈid ɪt", GOLD);
    check_said(p, "I have read it", KK_LANG_EN_US, "ˌI hæv ɹˈɛd ɪt", GOLD);
    check_said(p, "to use it", KK_LANG_EN_US, "tə jˈuz ɪt", GOLD);
    check_said(p, "the use and", KK_LANG_EN_US, "ðə jˈus ænd", GOLD);
    check_said(p, "I will stop that dog.", KK_LANG_EN_US, "ˌI wɪl stˈɑp ðˈæt dˈɔɡ.", GOLD);
    check_said(p, "dogs that wait and dogs that stop it", KK_LANG_EN_US,
               "dˈɔɡz ðæt wˈAt ænd dˈɔɡz ðæt stˈɑp ɪt", GOLD);
    kk_phonemizer_close(&p);
}

TEST(endings_are_built_on_stems)
{
    kk_phonemizer *p = open_with(NULL);
    check_said(p, "cats", KK_LANG_EN_US, "kˈæts", RULE);
    check_said(p, "dogs", KK_LANG_EN_US, "dˈɔɡz", RULE);
    check_said(p, "dog's", KK_LANG_EN_US, "dˈɔɡz", RULE);
    check_said(p, "dogs'", KK_LANG_EN_US, "dˈɔɡz", RULE);
    check_said(p, "buses", KK_LANG_EN_US, "bˈʌsᵻz", RULE);
    check_said(p, "buses", KK_LANG_EN_GB, "bˈʌsɪz", RULE);
    check_said(p, "cities", KK_LANG_EN_US, "sˈɪtiz", RULE);
    check_said(p, "stopping", KK_LANG_EN_US, "stˈɑpɪŋ", RULE);
    check_said(p, "making", KK_LANG_EN_US, "mˈAkɪŋ", RULE);
    check_said(p, "waited", KK_LANG_EN_US, "wˈATᵻd", RULE); /* the flap */
    check_said(p, "waited", KK_LANG_EN_GB, "wˈAtɪd", RULE);
    check_said(p, "waiting", KK_LANG_EN_US, "wˈATɪŋ", RULE);
    check_said(p, "Waiting", KK_LANG_EN_US, "wˈATɪŋ", RULE);
    kk_phonemizer_close(&p);
}

TEST(compounds_and_acronyms)
{
    kk_phonemizer *p = open_with(NULL);
    check_said(p, "ninety-nine", KK_LANG_EN_US, "nˈIndinˌIn", GOLD);
    check_said(p, "it is FBI", KK_LANG_EN_US, "ɪt ˌIˈɛs ˌɛfbˌiˈI", RULE);
    check_said(p, "F&B", KK_LANG_EN_US, "ˈɛf ænd bˈi", GOLD);
    kk_phonemizer_close(&p);
}

TEST(without_helper_or_lexicon_words_are_spelt)
{
    kk_phonemizer *p = NULL;
    const kk_phonemizer_options options = {.lexicon_path = NULL};
    CHECK_INT(kk_phonemizer_open(&p, &options, NULL), KOKORO_OK);
    check_said(p, "xq", KK_LANG_EN_US, "ˌɛkskjˈu", KOKORO_SOURCE_LETTERS);
    check_said(p, "日本", KK_LANG_EN_US, "lˈɛTəɹ", KOKORO_SOURCE_LETTERS);
    kk_phonemizer_close(&p);
    p = open_with(NULL);
    check_said(p, "dog-xq", KK_LANG_EN_US, "dˌɔɡˌɛkskjˈu", KOKORO_SOURCE_LETTERS);
    check_said(p, "dög", KK_LANG_EN_US, "dˈɔɡ", GOLD);
    kk_phonemizer_close(&p);
}

TEST(stress_marks_move)
{
    kk_arena arena = KK_ARENA_INIT;
    CHECK_STR(kk_stress_apply(&arena, "həlˈO", KK_STRESS_NONE), "həlO");
    CHECK_STR(kk_stress_apply(&arena, "ˌʌndəɹstˈænd", KK_STRESS_LESS), "ʌndəɹstˌænd");
    CHECK_STR(kk_stress_apply(&arena, "ænd", KK_STRESS_SOME), "ˌænd");
    CHECK_STR(kk_stress_apply(&arena, "ðæt", KK_STRESS_MORE), "ðˈæt");
    CHECK_STR(kk_stress_apply(&arena, "ˌɔn", KK_STRESS_MORE), "ˈɔn");
    CHECK_STR(kk_stress_apply(&arena, "st", KK_STRESS_MORE), "st");
    CHECK_INT(kk_stress_weight("kAt"), 4);
    kk_arena_fini(&arena);
}

TEST(espeak_ipa_becomes_the_models)
{
    static const struct {
        const char *ipa, *want;
        enum kk_language language;
    } rows[] = {{"ɡˈo^ʊ", "ɡˈO", KK_LANG_EN_US},    {"ɡˈə^ʊ", "ɡˈQ", KK_LANG_EN_GB},
                {"t^ʃˈɜː", "ʧˈɜɹ", KK_LANG_EN_US},  {"bˈʌtɚ", "bˈʌtəɹ", KK_LANG_EN_US},
                {"lˈa^ɪt", "lˈIt", KK_LANG_EN_US},  {"(fr)bˈo(en)", "bˈɔ", KK_LANG_EN_US},
                {"bˈʌʔn̩", "bˈʌtn", KK_LANG_EN_US},  {"wˈɔːɾɚ", "wˈɔTəɹ", KK_LANG_EN_US},
                {"ɹˈɪðm̩", "ɹˈɪðᵊm", KK_LANG_EN_US}, {"", "", KK_LANG_EN_US}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kk_arena arena = KK_ARENA_INIT;
        CHECK_STR(kk_espeak_map(&arena, kk_slice_of(rows[i].ipa), rows[i].language), rows[i].want);
        kk_arena_fini(&arena);
    }
}

/* ---- the helper ---- */

TEST(the_helper_pronounces_what_the_lexicon_lacks)
{
    kk_phonemizer *p = open_with(KOKORO_ESPEAK_PROGRAM);
    check_said(p, "blorptastic", KK_LANG_EN_US, "blɔɹptˈAstɪk", KOKORO_SOURCE_ESPEAK);
    check_said(p, "gopher", KK_LANG_EN_US, "ɡˈOfəɹ", KOKORO_SOURCE_ESPEAK);
    check_said(p, "gopher", KK_LANG_EN_GB, "ɡˈQfə", KOKORO_SOURCE_ESPEAK);
    kk_phonemizer_counts counts;
    kk_phonemizer_get_counts(p, &counts);
    CHECK_INT(counts.espeak_words, 3);
    CHECK_INT(counts.espeak_restarts, 0);
    kk_phonemizer_close(&p);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, not even a zombie */
}

/* A helper of the test's own: a shell script. */
static const char *script(const char *name, const char *body)
{
    static char path[160];
    char text[512];
    (void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
    put(name, text);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK_INT(chmod(path, 0700), 0);
    return path;
}

TEST(a_helper_that_dies_is_started_again)
{
    kk_phonemizer *p = open_with(script("once.sh", "read -r q && echo 'zˈɪp'"));
    check_said(p, "blorp", KK_LANG_EN_US, "zˈɪp", KOKORO_SOURCE_ESPEAK);
    check_said(p, "florp", KK_LANG_EN_US, "zˈɪp", KOKORO_SOURCE_ESPEAK);
    check_said(p, "glorp", KK_LANG_EN_US, "zˈɪp", KOKORO_SOURCE_ESPEAK);
    kk_phonemizer_counts counts;
    kk_phonemizer_get_counts(p, &counts);
    CHECK_INT(counts.espeak_restarts, 2);
    kk_phonemizer_close(&p);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

TEST(a_helper_that_always_dies_costs_few_processes)
{
    char count[160];
    (void)snprintf(count, sizeof(count), "echo x >>'%s/starts'; exit 1", dir);
    kk_phonemizer *p = open_with(script("dies.sh", count));
    for (int i = 0; i < 10; i++)
        check_said(p, "xq", KK_LANG_EN_US, "ˌɛkskjˈu", KOKORO_SOURCE_LETTERS);
    kk_phonemizer_close(&p);
    kk_buf starts = KK_BUF_INIT;
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/starts", dir);
    CHECK_INT(kk_file_read(&starts, path, 1000, NULL), KOKORO_OK);
    CHECK(starts.len <= 2 * 4);
    kk_buf_fini(&starts);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

TEST(a_silent_helper_is_killed)
{
    kk_phonemizer *p = open_with(script("silent.sh", "exec sleep 100"));
    check_said(p, "xq", KK_LANG_EN_US, "ˌɛkskjˈu", KOKORO_SOURCE_LETTERS);
    kk_phonemizer_close(&p);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

TEST(a_helper_that_babbles_or_is_none_is_survived)
{
    kk_phonemizer *p = open_with(script("babble.sh", "exec cat /dev/zero"));
    check_said(p, "xq", KK_LANG_EN_US, "ˌɛkskjˈu", KOKORO_SOURCE_LETTERS);
    kk_phonemizer_close(&p);
    p = open_with("/no/such/helper");
    check_said(p, "xq", KK_LANG_EN_US, "ˌɛkskjˈu", KOKORO_SOURCE_LETTERS);
    kk_phonemizer_close(&p);
    p = open_with(dir);
    check_said(p, "xq", KK_LANG_EN_US, "ˌɛkskjˈu", KOKORO_SOURCE_LETTERS);
    kk_phonemizer_close(&p);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

static void count_lines(void *user, int level, const char *line)
{
    CHECK_INT(level, KOKORO_LOG_WARNING);
    CHECK_HAS(line, "/no/such/helper");
    (*(int *)user)++;
}

TEST(a_missing_helper_is_told_once)
{
    int n_lines = 0;
    const kk_log log = {count_lines, &n_lines};
    const kk_phonemizer_options options = {
        .lexicon_path = pack_path, .espeak_helper = "/no/such/helper", .log = &log};
    kk_phonemizer *p = NULL;
    CHECK_INT(kk_phonemizer_open(&p, &options, NULL), KOKORO_OK);
    check_said(p, "xq qx xqx", KK_LANG_EN_US, "ˌɛkskjˈu kjˌuˈɛks ˌɛkskjˌuˈɛks",
               KOKORO_SOURCE_LETTERS);
    kk_phonemizer_close(&p);
    CHECK_INT(n_lines, 1);
}

/* A line that nobody asked for must not become the answer to the next word. */
TEST(a_helper_out_of_step_is_started_again)
{
    kk_phonemizer *p = open_with(
        script("extra.sh", "while read -r q; do echo 'zˈɪp'; sleep 0.05; echo 'wˈɑŋ'; done"));
    check_said(p, "blorp", KK_LANG_EN_US, "zˈɪp", KOKORO_SOURCE_ESPEAK);
    const struct timespec pause = {0, 400000000};
    (void)nanosleep(&pause, NULL);
    check_said(p, "florp", KK_LANG_EN_US, "zˈɪp", KOKORO_SOURCE_ESPEAK);
    kk_phonemizer_close(&p);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

static bool is_third_ask(void *user)
{
    int *n_asked = user;
    return ++*n_asked == 3;
}

TEST(a_sentence_can_be_cancelled_between_words)
{
    int n_asked = 0;
    kk_text read;
    kk_spoken spoken;
    kokoro_error err = {0, ""};
    kk_arena arena = KK_ARENA_INIT;
    kk_phonemizer *p = open_with(NULL);
    kk_phonemize_watch watch = {is_third_ask, &n_asked};
    CHECK_INT(kk_text_read(&arena, KK_SLICE("one two three four five"), KK_LANG_EN_US, &read, NULL),
              KOKORO_OK);
    CHECK_INT(kk_phonemize(p, &arena, &read.sentences[0], KK_LANG_EN_US, &watch, &spoken, &err),
              KOKORO_CANCELLED);
    CHECK_INT(n_asked, 3);
    watch.cancelled = NULL;
    CHECK_INT(kk_phonemize(p, &arena, &read.sentences[0], KK_LANG_EN_US, &watch, &spoken, &err),
              KOKORO_OK);
    kk_arena_fini(&arena);
    kk_phonemizer_close(&p);
}

/* Every word of any text gets a sound, and the whole is UTF-8. */
static void check_sounds(kk_phonemizer *p, kk_slice text)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_text read;
    int status = kk_text_read(&arena, text, KK_LANG_EN_US, &read, NULL);
    for (size_t i = 0; status == KOKORO_OK && i < read.n_sentences; i++) {
        kk_spoken spoken;
        CHECK_INT(kk_phonemize(p, &arena, &read.sentences[i], KK_LANG_EN_US, NULL, &spoken, NULL),
                  KOKORO_OK);
        kk_slice all = kk_slice_of(spoken.phonemes);
        CHECK_INT(kk_utf8_valid_len(all), all.len);
        for (size_t k = 0; k < spoken.n_words; k++) {
            if (spoken.words[k].source >= 0 && spoken.words[k].phonemes[0] == '\0') {
                CHECK_STR(spoken.words[k].phonemes, "a sound");
                (void)fwrite(text.data, 1, text.len, stdout);
                puts(" is the text");
            }
        }
    }
    kk_arena_fini(&arena);
}

TEST(every_word_of_any_text_gets_a_sound)
{
    static const char *const pieces[] = {"dog", "'",  "-", "s", ".",   " ", "A",        "iX",
                                         "日",  "é",  "_", "&", "7",   "$", "'s",       "wait",
                                         "ing", "ed", "%", "/", "FBI", "…", "\xCC\x81", "\n"};
    kk_phonemizer *p = open_with(NULL);
    srand(13);
    for (int round = 0; round < 3000; round++) {
        kk_buf text = KK_BUF_INIT;
        for (int i = rand() % 16; i > 0; i--)
            kk_buf_append_str(&text, pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
        check_sounds(p, (kk_slice){kk_buf_str(&text), text.len});
        kk_buf_fini(&text);
        char bytes[48];
        size_t n = (size_t)rand() % sizeof(bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(rand() % 128);
        check_sounds(p, (kk_slice){bytes, n});
    }
    kk_phonemizer_close(&p);
}

/* ---- damage and memory ---- */

TEST(a_damaged_lexicon_is_refused)
{
    kk_buf whole = KK_BUF_INIT;
    char path[160];
    CHECK_INT(kk_file_read(&whole, pack_path, 1000000, NULL), KOKORO_OK);
    (void)snprintf(path, sizeof(path), "%s/damaged.pack", dir);
    const kk_phonemizer_options options = {.lexicon_path = path};
    for (size_t i = 0; i < whole.len; i++) {
        kk_phonemizer *p = NULL;
        kokoro_error err;
        char *copy = kk_strndup(whole.data, whole.len);
        copy[i] = (char)(copy[i] ^ 0x41);
        kk_writer writer;
        CHECK_INT(kk_writer_open(&writer, path, NULL), KOKORO_OK);
        /* One byte changed, or the file cut there; bytes that the head keeps in reserve do not
         * matter. */
        bool is_cut = i % 2 == 0;
        bool is_reserve = !is_cut && i >= 32 && i < 64;
        kk_writer_write(&writer, is_cut ? whole.data : copy, is_cut ? i : whole.len);
        (void)kk_writer_commit(&writer, NULL);
        int status = kk_phonemizer_open(&p, &options, &err);
        if (is_reserve)
            CHECK_INT(status, KOKORO_OK);
        else if (status != KOKORO_BAD_DATA)
            CHECK_INT(status, KOKORO_BAD_DATA);
        kk_phonemizer_close(&p);
        kk_free(copy);
    }
    kk_buf_fini(&whole);
}

TEST(bad_json_is_named)
{
    kokoro_error err;
    static const char *const rows[] = {"[1]",
                                       "{\"a\":",
                                       "{\"a\":1}",
                                       "{\"a\":{\"NOUN\":\"x\"}}",
                                       "{\"a\":{\"DEFAULT\":3}}",
                                       "{\"\":\"x\"}"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put("us_gold.json", rows[i]);
        CHECK_INT(kokoro_pack_lexicon(pack_path, dir, &err), KOKORO_BAD_DATA);
        CHECK_HAS(err.message, "us_gold.json");
    }
    put("us_gold.json", us_gold);
    CHECK_INT(kokoro_pack_lexicon(pack_path, "/no/such/dir", &err), KOKORO_NOT_FOUND);
    CHECK_INT(kokoro_pack_lexicon(pack_path, dir, &err), KOKORO_OK);
}

/* The k-th allocation fails, for every k that there is; a cache may forget and a helper be started
 * again, but anything else is told. Closes the phonemizer. */
static void check_phonemize_memory(kk_phonemizer *p)
{
    kokoro_error err;
    kk_arena text_arena = KK_ARENA_INIT;
    kk_text read;
    CHECK_INT(kk_text_read(&text_arena, KK_SLICE("Waiting for FBI dogs, ninety-nine xqz cities!"),
                           KK_LANG_EN_US, &read, NULL),
              KOKORO_OK);
    int status = KOKORO_NO_MEMORY;
    size_t n_needed = 1000;
    for (size_t k = 1; k <= n_needed; k++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_spoken spoken;
        kk_alloc_fail_at(k, 0);
        status = kk_phonemize(p, &arena, &read.sentences[0], KK_LANG_EN_US, NULL, &spoken, &err);
        if (kk_alloc_count() < k)
            n_needed = 0;
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || err.status == KOKORO_NO_MEMORY);
        if (status == KOKORO_OK)
            CHECK_INT(spoken.n_words, read.sentences[0].n_tokens);
        kk_arena_fini(&arena);
    }
    CHECK_INT(n_needed, 0);
    CHECK_INT(status, KOKORO_OK);
    kk_arena_fini(&text_arena);
    kk_phonemizer_close(&p);
}

TEST(every_failed_allocation_is_reported)
{
    int status = KOKORO_NO_MEMORY;
    kokoro_error err;
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/memory.pack", dir);
    for (size_t k = 1; status != KOKORO_OK && k < 500; k++) {
        kk_alloc_fail_at(k, 0);
        status = kokoro_pack_lexicon(path, dir, &err);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || err.status == KOKORO_NO_MEMORY);
    }
    CHECK_INT(status, KOKORO_OK);
    check_phonemize_memory(open_with(NULL));
    check_phonemize_memory(open_with(script("zip.sh", "while read -r q; do echo 'zˈɪp'; done")));
}

TEST(tear_down)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(set_up), T(words_come_from_the_lexicon), T(small_words_hang_on_what_follows),
          T(heteronyms_hang_on_their_part_of_speech), T(endings_are_built_on_stems),
          T(compounds_and_acronyms), T(without_helper_or_lexicon_words_are_spelt),
          T(a_sentence_can_be_cancelled_between_words), T(stress_marks_move),
          T(espeak_ipa_becomes_the_models), T(the_helper_pronounces_what_the_lexicon_lacks),
          T(a_helper_that_dies_is_started_again), T(a_helper_that_always_dies_costs_few_processes),
          T(a_silent_helper_is_killed), T(a_helper_that_babbles_or_is_none_is_survived),
          T(a_missing_helper_is_told_once), T(a_helper_out_of_step_is_started_again),
          T(every_word_of_any_text_gets_a_sound), T(a_damaged_lexicon_is_refused),
          T(bad_json_is_named), T(every_failed_allocation_is_reported), T(tear_down))
