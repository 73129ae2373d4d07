/* Voices: packing, mapping, blends; and every way a voices file can be damaged. */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/file.h"
#include "voice/voice.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLE = 510 * 256 };

static char dir[64], pack_path[128];

/* A voice whose value at row r, column k is base + r + k / 1000. */
static void write_voice(const char *name, float base, size_t n)
{
    char path[256];
    float *table = calloc(TABLE + 1, sizeof(float));
    for (size_t i = 0; i < TABLE; i++)
        table[i] = base + (float)(i / 256) + (float)(i % 256) / 1000.0f;
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(table, sizeof(float), n, file) == n);
    (void)fclose(file);
    free(table);
}

static void remove_voice(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK_INT(unlink(path), 0);
}

static kk_voices *open_three(void)
{
    kk_voices *voices = NULL;
    kokoro_error err;
    write_voice("bm_george.bin", 3000.0f, TABLE);
    write_voice("af_bella.bin", 1000.0f, TABLE);
    write_voice("jf_alpha.bin", 5000.0f, TABLE);
    CHECK_INT(kokoro_pack_voices(pack_path, dir, &err), KOKORO_OK);
    remove_voice("bm_george.bin");
    remove_voice("af_bella.bin");
    remove_voice("jf_alpha.bin");
    CHECK_INT(kk_voices_open(&voices, pack_path, &err), KOKORO_OK);
    return voices;
}

TEST(voices_are_packed_in_order)
{
    kk_voices *voices = open_three();
    CHECK_INT(kk_voices_count(voices), 3);
    kokoro_voice voice = kk_voices_get(voices, 0);
    CHECK_STR(voice.id, "af_bella");
    CHECK_STR(voice.language, "en-us");
    CHECK_STR(voice.gender, "female");
    voice = kk_voices_get(voices, 1);
    CHECK_STR(voice.id, "bm_george");
    CHECK_STR(voice.language, "en-gb");
    CHECK_STR(voice.gender, "male");
    kk_voices_close(&voices);
    CHECK(voices == NULL);
}

TEST(the_style_row_is_the_number_of_phonemes_less_one)
{
    kk_voices *voices = open_three();
    kk_blend blend;
    float style[KK_STYLE_SIZE];
    CHECK_INT(kk_blend_parse(voices, "bm_george", &blend, NULL), KOKORO_OK);
    kk_blend_style(voices, &blend, 1, style);
    CHECK_NEAR(style[0], 3000.0, 0);
    kk_blend_style(voices, &blend, 510, style);
    CHECK_NEAR(style[0], 3509.0, 0);
    CHECK_NEAR(style[255], 3509.255, 1e-3);
    kk_voices_close(&voices);
}

TEST(a_blend_is_the_weighted_mean)
{
    kk_voices *voices = open_three();
    kk_blend blend;
    float style[KK_STYLE_SIZE];
    CHECK_INT(kk_blend_parse(voices, " af_bella(3) + bm_george ", &blend, NULL), KOKORO_OK);
    kk_blend_style(voices, &blend, 11, style);
    CHECK_NEAR(style[0], (3 * 1010.0 + 3010.0) / 4, 1e-3);
    enum kk_language language;
    CHECK_INT(kk_blend_language(voices, &blend, &language, NULL), KOKORO_OK);
    CHECK_INT(language, KK_LANG_EN_US);
    kk_voices_close(&voices);
}

static double loudness_of(const kk_voices *voices, const char *expression)
{
    kk_blend blend;
    double lufs = 1.0;
    CHECK_INT(kk_blend_parse(voices, expression, &blend, NULL), KOKORO_OK);
    CHECK_INT(kk_blend_loudness(voices, &blend, &lufs, NULL), KOKORO_OK);
    return lufs;
}

TEST(a_blend_is_as_loud_as_the_weighted_mean)
{
    kk_voices *voices = open_three();
    const double a = loudness_of(voices, "af_bella"), b = loudness_of(voices, "jf_alpha");
    CHECK(fabs(a - b) > 0.2); /* or the rest shows nothing */
    CHECK_NEAR(loudness_of(voices, "af_bella(3)"), a, 1e-9);
    CHECK_NEAR(loudness_of(voices, "af_bella+jf_alpha"), (a + b) / 2.0, 1e-5);
    CHECK_NEAR(loudness_of(voices, "af_bella(3)+jf_alpha"), (3.0 * a + b) / 4.0, 1e-5);
    kk_voices_close(&voices);
}

TEST(a_voice_that_was_never_measured_is_named)
{
    kk_voices *voices = NULL;
    kk_blend blend;
    kokoro_error err = {KOKORO_OK, ""};
    double lufs = 1.0;
    write_voice("xf_own.bin", 1.0f, TABLE);
    write_voice("af_bella.bin", 1.0f, TABLE);
    CHECK_INT(kokoro_pack_voices(pack_path, dir, &err), KOKORO_OK);
    remove_voice("xf_own.bin");
    remove_voice("af_bella.bin");
    CHECK_INT(kk_voices_open(&voices, pack_path, &err), KOKORO_OK);
    CHECK_INT(kk_blend_parse(voices, "af_bella+xf_own", &blend, NULL), KOKORO_OK);
    CHECK_INT(kk_blend_loudness(voices, &blend, &lufs, &err), KOKORO_LOUDNESS);
    CHECK_HAS(err.message, "the voice xf_own was never measured");
    CHECK_HAS(err.message, "leave the loudness out, or choose a volume");
    CHECK_NEAR(lufs, 0.0, 0.0);
    kk_voices_close(&voices);
}

/* Names differ, and none is missing: so there are no others either. */
TEST(every_voice_that_set_up_installs_was_measured)
{
    char path[512];
    kk_voices *voices = NULL;
    kokoro_error err;
    NEED(path, "voices/voices.pack");
    CHECK_INT(kk_voices_open(&voices, path, &err), KOKORO_OK);
    CHECK_INT(kk_voices_count(voices), KK_N_MEASURED_VOICES);
    for (size_t i = 0; i < kk_voices_count(voices); i++) {
        const double lufs = loudness_of(voices, kk_voices_get(voices, i).id);
        CHECK(lufs > -35.0 && lufs < -10.0);
    }
    kk_voices_close(&voices);
}

TEST(bad_expressions_are_named)
{
    static const struct {
        const char *text, *message;
    } rows[] = {{"", "has no name"},
                {"af_belle", "did you mean af_bella?"},
                {"nobody_at_all", "there are 3, af_bella to jf_alpha"},
                {"af_bella+", "'af_bella+' has no name"},
                {"af_bella(0)", "a number above 0"},
                {"af_bella(-1)", "a number above 0"},
                {"af_bella(nan)", "a number above 0"},
                {"af_bella(1", "a number above 0"},
                {"af_bella()", "a number above 0"},
                {"../af_bella", "unknown voice"}};
    kk_voices *voices = open_three();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kk_blend blend;
        kokoro_error err = {KOKORO_OK, ""};
        CHECK_INT(kk_blend_parse(voices, rows[i].text, &blend, &err), KOKORO_VOICE);
        CHECK_HAS(err.message, rows[i].message);
    }
    char many[600] = "af_bella";
    for (int i = 0; i < KK_BLEND_MAX; i++)
        strcat(many, "+af_bella");
    kk_blend blend;
    CHECK_INT(kk_blend_parse(voices, many, &blend, NULL), KOKORO_VOICE);
    kokoro_error err;
    enum kk_language language;
    CHECK_INT(kk_blend_parse(voices, "jf_alpha", &blend, NULL), KOKORO_OK);
    CHECK_INT(kk_blend_language(voices, &blend, &language, &err), KOKORO_LANGUAGE);
    CHECK_HAS(err.message, "en-us");
    kk_voices_close(&voices);
}

TEST(a_voice_of_a_wrong_size_is_refused)
{
    kokoro_error err;
    (void)unlink(pack_path);
    CHECK_INT(kokoro_pack_voices(pack_path, dir, &err), KOKORO_NOT_FOUND);
    write_voice("af_bella.bin", 0.0f, TABLE - 1);
    CHECK_INT(kokoro_pack_voices(pack_path, dir, &err), KOKORO_BAD_DATA);
    CHECK_HAS(err.message, "522236 bytes");
    CHECK(!kk_file_exists(pack_path));
    remove_voice("af_bella.bin");
    CHECK_INT(kokoro_pack_voices(pack_path, "/nonexistent/dir", &err), KOKORO_NOT_FOUND);
}

TEST(a_damaged_file_is_refused)
{
    kk_voices *voices = open_three();
    kk_voices_close(&voices);
    kk_buf whole = KK_BUF_INIT;
    kokoro_error err;
    CHECK_INT(kk_file_read(&whole, pack_path, 10000000, &err), KOKORO_OK);
    const size_t lengths[] = {1, 63, 64, 200, 4096, whole.len - 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        kk_writer writer;
        CHECK_INT(kk_writer_open(&writer, pack_path, &err), KOKORO_OK);
        kk_writer_write(&writer, whole.data, lengths[i]);
        CHECK_INT(kk_writer_commit(&writer, &err), KOKORO_OK);
        CHECK_INT(kk_voices_open(&voices, pack_path, &err), KOKORO_BAD_DATA);
        CHECK_HAS(err.message, pack_path);
    }
    for (size_t at = 0; at < 256;
         at++) { /* head and names; reserved bytes of the head do not matter */
        if (at >= 24 && at < 64)
            continue;
        whole.data[at] ^= 0x5A;
        kk_writer writer;
        CHECK_INT(kk_writer_open(&writer, pack_path, &err), KOKORO_OK);
        kk_writer_write(&writer, whole.data, whole.len);
        CHECK_INT(kk_writer_commit(&writer, &err), KOKORO_OK);
        CHECK_INT(kk_voices_open(&voices, pack_path, &err), KOKORO_BAD_DATA);
        whole.data[at] ^= 0x5A;
    }
    kk_buf_fini(&whole);
}

TEST(every_failed_allocation_is_reported)
{
    write_voice("af_bella.bin", 0.0f, TABLE);
    int status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status != KOKORO_OK && k < 50; k++) {
        kokoro_error err = {KOKORO_OK, ""};
        kk_alloc_fail_at(k, 0);
        status = kokoro_pack_voices(pack_path, dir, &err);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || err.status == KOKORO_NO_MEMORY);
    }
    CHECK_INT(status, KOKORO_OK);
    kk_voices *voices = NULL;
    kk_alloc_fail_at(1, 0);
    CHECK_INT(kk_voices_open(&voices, pack_path, NULL), KOKORO_NO_MEMORY);
    kk_alloc_fail_at(0, 0);
    remove_voice("af_bella.bin");
    (void)unlink(pack_path);
    CHECK_INT(rmdir(dir), 0);
}

static void set_up(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof(dir), "%.30s/kokoro-voice-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(dir) == NULL)
        exit(2);
    (void)snprintf(pack_path, sizeof(pack_path), "%s/voices.pack", dir);
}

TEST(set_up)
{
    set_up();
    CHECK(kk_file_exists(dir));
}

TEST_MAIN(T(set_up), T(voices_are_packed_in_order),
          T(the_style_row_is_the_number_of_phonemes_less_one), T(a_blend_is_the_weighted_mean),
          T(a_blend_is_as_loud_as_the_weighted_mean), T(a_voice_that_was_never_measured_is_named),
          T(every_voice_that_set_up_installs_was_measured), T(bad_expressions_are_named),
          T(a_voice_of_a_wrong_size_is_refused), T(a_damaged_file_is_refused),
          T(every_failed_allocation_is_reported))
