/* Seams: one chunk is left alone; a joint has no step; the silence of a cut is shortened. */
#include "check.h"

#include "audio/audio.h"

enum { N = 24000 };
static float samples[N];

static void fill(size_t quiet)
{
    for (size_t i = 0; i < N; i++)
        samples[i] = i < quiet || i >= N - quiet ? 0.001f : 0.5f;
}

TEST(one_chunk_is_left_untouched)
{
    fill(5000);
    size_t start = 9, n = 9;
    kk_audio_join(samples, N, (kk_seam){.before = false}, &start, &n);
    CHECK_INT(start, 0);
    CHECK_INT(n, N);
    for (size_t i = 0; i < N; i++) {
        if (samples[i] != (i < 5000 || i >= N - 5000 ? 0.001f : 0.5f))
            CHECK_INT(i, -1);
    }
}

TEST(a_joint_starts_and_ends_near_zero)
{
    fill(0);
    size_t start, n;
    kk_audio_join(samples, N, (kk_seam){.before = true, .after = true}, &start, &n);
    CHECK_INT(start, 0);
    CHECK_INT(n, N);
    CHECK(samples[0] < 0.005f && samples[N - 1] < 0.005f);
    for (size_t i = 1; i < N; i++) /* 0.5 over 72 samples */
        CHECK(fabsf(samples[i] - samples[i - 1]) < 0.0075f);
    CHECK_NEAR(samples[N / 2], 0.5, 0);
}

TEST(a_cut_keeps_a_breath)
{
    fill(7000);
    size_t start, n;
    kk_audio_join(samples, N,
                  (kk_seam){.before = true, .after = true, .cut_before = true, .cut_after = true},
                  &start, &n);
    CHECK_INT(start, 7000 - 1440);
    CHECK_INT(n, N - 2 * (7000 - 1440));
}

TEST(short_and_silent_chunks_survive)
{
    for (size_t len = 0; len < 400; len++) {
        for (size_t i = 0; i < len; i++)
            samples[i] = 0.0f;
        size_t start, n;
        kk_audio_join(
            samples, len,
            (kk_seam){.before = true, .after = true, .cut_before = true, .cut_after = true}, &start,
            &n);
        CHECK(start + n <= len);
    }
    size_t start, n;
    for (size_t i = 0; i < N; i++)
        samples[i] = 0.0f;
    kk_audio_join(samples, N, (kk_seam){.cut_before = true, .cut_after = true}, &start, &n);
    CHECK(start + n <= N);
}

TEST_MAIN(T(one_chunk_is_left_untouched), T(a_joint_starts_and_ends_near_zero),
          T(a_cut_keeps_a_breath), T(short_and_silent_chunks_survive))
