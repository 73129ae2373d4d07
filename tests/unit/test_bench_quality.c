/*
 * test_bench_quality.c - the log-mel spectrum against values of an independent program (numpy in
 * double precision, same definition), and the distance of two sounds token by token.
 */
#include "bench/quality.h"
#include "check.h"

enum { N = 6000, N_TOKENS = 5, MAX_SAMPLES = 24000 };

/* A triangle wave of 400 Hz, and noise whose numbers any language makes alike. */
static void make_tone(float *dst, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = (float)(0.5 * (2.0 * fabs(2.0 * (i % 60) / 60.0 - 1.0) - 1.0));
}

static void add_noise(float *dst, int n)
{
    uint32_t state = 1;
    for (int i = 0; i < n; i++) {
        state = (state * 1103515245U + 12345U) & 0x7FFFFFFFU;
        const double noise = 0.01 * ((state >> 8) & 0xFFFFU) / 32768.0 - 0.01;
        dst[i] = (float)((double)dst[i] + (double)(float)noise);
    }
}

TEST(mel_of_a_tone_is_known)
{
    static const struct {
        size_t frame, band;
        double db;
    } known[] = {{10, 11, 38.1863}, {10, 79, -9.616}, {10, 5, -42.3958}, {0, 0, -60.0}};
    static float tone[N];
    kk_arena arena = KK_ARENA_INIT;
    kk_mel mel;
    make_tone(tone, N);
    CHECK_INT(kk_mel_make(&arena, tone, N, &mel, NULL), KOKORO_OK);
    CHECK_INT(mel.n_frames, 28);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        CHECK_NEAR(mel.db[known[i].frame * KK_MEL_BANDS + known[i].band], known[i].db, 0.05);
    kk_arena_fini(&arena);
}

TEST(mel_of_no_samples_is_the_floor)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_mel mel;
    CHECK_INT(kk_mel_make(&arena, NULL, 0, &mel, NULL), KOKORO_OK);
    CHECK_INT(mel.n_frames, 5);
    CHECK_NEAR(mel.db[0], -60.0, 1e-4);
    kk_arena_fini(&arena);
}

TEST(distance_without_durations_is_the_plain_one)
{
    static float tone[N], noisy[N];
    kk_bench_distance distance;
    make_tone(tone, N);
    make_tone(noisy, N);
    add_noise(noisy, N);
    const kk_bench_sound a = {.samples = tone, .n_samples = N};
    const kk_bench_sound b = {.samples = noisy, .n_samples = N};
    CHECK_INT(kk_bench_distance_of(&a, &b, &distance, NULL), KOKORO_OK);
    CHECK_NEAR(distance.log_mel_db, 19.091, 0.01);
    CHECK_INT(distance.n_tokens, 0);
    CHECK_INT(kk_bench_distance_of(&a, &a, &distance, NULL), KOKORO_OK);
    CHECK_NEAR(distance.log_mel_db, 0.0, 0.0);
}

/* Tokens of different steady tones, each as long as it is told to be. */
static size_t make_tokens(float *dst, const int32_t *durations)
{
    static const int periods[N_TOKENS] = {1000000, 60, 24, 90, 1000000};
    size_t n = 0;
    for (int t = 0; t < N_TOKENS; t++) {
        for (int i = 0; i < durations[t] * KOKORO_SAMPLES_PER_FRAME; i++)
            dst[n++] =
                periods[t] > 1000 ? 0.0F : (float)(i % periods[t]) / (float)periods[t] - 0.5F;
    }
    return n;
}

TEST(a_longer_token_is_laid_over_the_shorter)
{
    static float one[MAX_SAMPLES], two[MAX_SAMPLES];
    const int32_t first[N_TOKENS] = {2, 6, 5, 7, 2}, second[N_TOKENS] = {2, 6, 9, 7, 2};
    kk_bench_distance aligned, plain;
    kk_bench_sound a = {.samples = one, .durations = first, .n_durations = N_TOKENS};
    kk_bench_sound b = {.samples = two, .durations = second, .n_durations = N_TOKENS};
    a.n_samples = make_tokens(one, first);
    b.n_samples = make_tokens(two, second);
    CHECK_INT(kk_bench_distance_of(&a, &b, &aligned, NULL), KOKORO_OK);
    CHECK_INT(aligned.n_tokens, N_TOKENS);
    CHECK_INT(aligned.n_durations_differ, 1);
    b.n_durations = 0;
    CHECK_INT(kk_bench_distance_of(&a, &b, &plain, NULL), KOKORO_OK);
    CHECK_INT(plain.n_durations_differ, 0);
    /* Tones stay with their tokens: only their seams, a window wide, are unlike. */
    CHECK(aligned.log_mel_db > 0.0);
    CHECK(aligned.log_mel_db < 0.5 * plain.log_mel_db);
}

TEST(equal_durations_compare_frame_by_frame)
{
    static float one[MAX_SAMPLES], two[MAX_SAMPLES];
    const int32_t durations[N_TOKENS] = {1, 6, 0, 7, 2};
    kk_bench_distance with, without;
    kk_bench_sound a = {.samples = one, .durations = durations, .n_durations = N_TOKENS};
    kk_bench_sound b = {.samples = two, .durations = durations, .n_durations = N_TOKENS};
    a.n_samples = make_tokens(one, durations);
    b.n_samples = make_tokens(two, durations);
    add_noise(two, (int)b.n_samples);
    CHECK_INT(kk_bench_distance_of(&a, &b, &with, NULL), KOKORO_OK);
    a.n_durations = b.n_durations = 0;
    CHECK_INT(kk_bench_distance_of(&a, &b, &without, NULL), KOKORO_OK);
    CHECK_NEAR(with.log_mel_db, without.log_mel_db, 1e-6);
    CHECK_INT(with.n_durations_differ, 0);
}

TEST(silence_in_place_of_sound_is_no_comparison)
{
    static float one[MAX_SAMPLES];
    kk_bench_distance distance;
    const kk_bench_sound a = {.samples = one, .n_samples = N}, none = {.n_samples = 0};
    kokoro_error err;
    CHECK_INT(kk_bench_distance_of(&a, &none, &distance, &err), KOKORO_BAD_DATA);
    CHECK_HAS(err.message, "no sound");
}

TEST_MAIN(T(mel_of_a_tone_is_known), T(mel_of_no_samples_is_the_floor),
          T(distance_without_durations_is_the_plain_one),
          T(a_longer_token_is_laid_over_the_shorter), T(equal_durations_compare_frame_by_frame),
          T(silence_in_place_of_sound_is_no_comparison))
