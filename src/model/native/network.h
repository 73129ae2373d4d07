/*
 * network.h - the network, a function a block, in the order they run:
 *
 *   ids [N] -> albert [N][768] -> prosody [N][640] -> durations [N] -> frames F = sum
 *           -> text encoder [N][512]
 *   aligned by the durations: prosody [F][640], text [F][512]           F at 40 a second
 *   prosody -> f0 [2F], energy [2F]                                     80 a second
 *   text, f0, energy -> decoder [2F][512]
 *   f0 -> source [600F] -> spectrum [120F + 1][22]                      24000 and 4800 a second
 *   decoder, spectrum -> generator [120F + 1][22] -> inverse STFT -> audio [600F]
 *
 * The model is StyleTTS 2 (Li et al. 2023) with an iSTFTNet vocoder, as hexgrad/kokoro exports it.
 * docs/MODEL.md has every equation and trap. All functions take their memory from ops->ws and
 * return KOKORO_OK or KOKORO_NO_MEMORY.
 */
#ifndef KK_MODEL_NATIVE_NETWORK_H
#define KK_MODEL_NATIVE_NETWORK_H

#include "model/model.h"
#include "model/native/weights.h"

/* dst [N][768]. */
int kk_albert(const kk_ops *ops, const kk_albert_weights *w, float *dst, const int64_t *ids,
              size_t N);

/* dst [N][512]. */
int kk_text_encoder(const kk_ops *ops, const kk_text_encoder_weights *w, float *dst,
                    const int64_t *ids, size_t N);

/* dst [N][640] from albert [N][768]; style [128] is the prosody half. */
int kk_prosody_encoder(const kk_ops *ops, const kk_prosody_weights *w, float *dst,
                       const float *albert, const float *style, size_t N);

/* Raw durations, in frames of 25 ms, before rounding: raw [N] from prosody [N][640]. */
int kk_durations(const kk_ops *ops, const kk_prosody_weights *w, float *raw, const float *prosody,
                 float speed, size_t N);

/* Rounded to even at halves, at least 1; returns their sum. */
size_t kk_round_durations(int32_t *dst, const float *raw, size_t N);

/* Row n of src [N][C] durations[n] times: dst [F][C]. */
void kk_align(float *dst, const float *src, const int32_t *durations, size_t N, size_t C);

/* f0 [2F] in Hz, energy [2F] from prosody aligned [F][640]. */
int kk_pitch(const kk_ops *ops, const kk_prosody_weights *w, float *f0, float *energy,
             const float *prosody, const float *style, size_t F, int in_bf16);

/*
 * Residual block with adaptive normalisation: dst [T or 2T][C_out] at dst_stride from src
 * [T][C_in]. in_bf16: the inputs of the convolutions are rounded.
 */
int kk_adain_block_run(const kk_ops *ops, const kk_adain_block *w, float *dst, size_t dst_stride,
                       const float *src, size_t src_stride, const float *style, size_t T,
                       int in_bf16);

/* dst [2F][512] from text aligned [F][512], f0 [2F], energy [2F]; style [128] is the decoder half.
 */
int kk_decoder(const kk_ops *ops, const kk_decoder_weights *w, float *dst, const float *text,
               const float *f0, const float *energy, const float *style, size_t F, int in_bf16);

/* Harmonic source: dst [300 T] from f0 [T]. */
int kk_source(const kk_ops *ops, const kk_generator_weights *w, float *dst, const float *f0,
              size_t T);

/* Magnitudes and phases of the short-time Fourier transform of source [n]: of its n / 5 + 1 frames
 * those from `first` on, dst [n_frames][22]. */
int kk_spectrum(const kk_ops *ops, const kk_generator_weights *w, float *dst, const float *source,
                size_t n, size_t first, size_t n_frames);

/*
 * Statistics of the generator's normalisations when it runs on parts of an utterance: the rows of a
 * run are cut into segments, each with its weight in the means and variances and perhaps a slot
 * that keeps its sums for later runs; slots filled by earlier runs count with a weight too. Weights
 * times frames should add up to the whole utterance.
 */
enum { KK_N_NORMS = 48, KK_MAX_SEGMENTS = 24, KK_MAX_SLOTS = 24, KK_NO_SLOT = KK_MAX_SLOTS };

typedef struct kk_segment {
    size_t n_frames; /* rows of features */
    double weight;
    size_t slot; /* whose sums these are added to after the layer, or KK_NO_SLOT, */
    double kept; /* so many times */
} kk_segment;

typedef struct kk_norms {
    kk_segment segments[KK_MAX_SEGMENTS];
    size_t n_segments;
    double slot_weights[KK_MAX_SLOTS]; /* 0: empty, or not to count */
    size_t slot_frames[KK_MAX_SLOTS];
    /* Rows of features, in front, whose output is wanted: some whole segments. The others' serve
     * the statistics only, and their last layers are left out. */
    size_t n_wanted;
    double *sums; /* [KK_N_NORMS][KK_MAX_SLOTS][2][256], zeroed at first */
    /* Part of the weighed rows that are excerpts, and how much less than the utterance they vary at
     * each layer: the logarithm of a standard deviation over theirs. */
    double excerpts_share;
    const float *narrowness; /* [KK_N_NORMS] */
    size_t layer;            /* of the run: 0 at its start */
} kk_norms;

/* dst [60 T + 1][22], log magnitudes and phases, from features [T][512] and spectrum
 * [60 T + 1][22]. norms NULL: the statistics of these rows alone; else dst [60 n_wanted][22] if
 * that is less than all. */
int kk_generator(const kk_ops *ops, const kk_generator_weights *w, float *dst,
                 const float *features, const float *spectrum, const float *style, size_t T,
                 int in_bf16, kk_norms *norms);

/* audio [5 (n_frames - 1)] from the generator's output [n_frames][22]. */
int kk_inverse_stft(const kk_ops *ops, const kk_generator_weights *w, float *audio,
                    const float *post, size_t n_frames);

/* What the generator needs of an utterance, T rows of features at 80 a second. */
typedef struct kk_utterance {
    const float *features; /* [T][512] */
    const float *source;   /* [300 T] */
    const float *style;    /* [128] of the decoder */
    size_t T;
    size_t n_pad; /* rows of the first token, which is silent but for its end */
    int in_bf16;
} kk_utterance;

typedef struct kk_piece_plan {
    /* Receives a piece; not 0 to stop. */
    int (*give)(void *user, const float *samples, size_t n, int is_last);
    /* How long the next is to be; NULL: lengths that grow. */
    kk_piece_wish (*next_piece)(void *user, size_t n_made, size_t n_total);
    void *user;
} kk_piece_plan;

/* The generator and its inverse transform in pieces: audio [300 T], each part given to fn when it
 * is made. A stop cancels the pool. */
int kk_speak_pieces(const kk_ops *ops, const kk_generator_weights *w, const kk_utterance *u,
                    float *audio, const kk_piece_plan *plan);

/* dst [2C] = (gain - 1, bias) of an adaptive normalisation, from style [128]. */
int kk_style(const kk_ops *ops, const kk_conv *w, float *dst, const float *style);

#endif
