/*
 * weights.h - every weight of the network, as the layers use it, and the one table that says where
 * each comes from.
 *
 * The pointers lead into one packed block (packed.h), which is either mapped from the cache or kept
 * in memory. Axes as in kernels.h; shapes in trailing comments.
 */
#ifndef KK_MODEL_NATIVE_WEIGHTS_H
#define KK_MODEL_NATIVE_WEIGHTS_H

#include "ops/ops.h"

#include <stddef.h>

enum {
    KK_N_SYMBOLS = 178,
    KK_MAX_TOKENS = 512,
    KK_STYLE_HALF = 128, /* of the decoder, and again of the prosody */
    KK_ALBERT_SIZE = 768,
    KK_ALBERT_LAYERS = 12, /* passes of one layer's weights */
    KK_TEXT_SIZE = 512,
    KK_PROSODY_SIZE = 640, /* 512 + style */
    KK_N_DURATIONS = 50,
    KK_HARMONICS = 9,
    KK_STFT_SIZE = 20,
    KK_STFT_HOP = 5,
    KK_SPECTRUM = 22 /* 11 magnitudes, 11 phases */
};

typedef struct kk_layer_norm {
    const float *gain, *shift;
} kk_layer_norm;

typedef struct kk_albert_weights {
    const float *word, *position, *type; /* [178][128] [512][128] [128] */
    kk_layer_norm embedding_norm;        /* [128] */
    kk_conv mapping;                     /* 128 -> 768 */
    kk_conv query, key, value, dense;    /* 768 -> 768 */
    kk_layer_norm attention_norm;        /* [768] */
    kk_conv ffn, ffn_output;             /* 768 -> 2048 -> 768 */
    kk_layer_norm full_norm;             /* [768] */
} kk_albert_weights;

typedef struct kk_text_encoder_weights {
    const float *embedding; /* [178][512] */
    kk_conv cnn[3];         /* 512 -> 512, K 5 */
    kk_layer_norm norm[3];  /* [512] */
    kk_lstm lstm;           /* 512 -> 2 * 256 */
} kk_text_encoder_weights;

/* Residual block with adaptive normalisation of StyleTTS 2 ("AdainResBlk1d"). */
typedef struct kk_adain_block {
    kk_conv style1, style2;        /* 128 -> 2 C of the two normalisations */
    kk_conv conv1, conv2;          /* C_in -> C_out, C_out -> C_out, K 3 */
    kk_conv shortcut;              /* C_in -> C_out, K 1; C_out 0: the identity */
    const float *pool, *pool_bias; /* [3][C_in], [C_in] of the doubling block, else NULL */
} kk_adain_block;

typedef struct kk_prosody_weights {
    kk_conv bert_encoder;     /* 768 -> 512 */
    kk_lstm encoder[3];       /* 640 -> 512 */
    kk_conv encoder_style[3]; /* 128 -> 2 * 512 */
    kk_lstm duration_lstm;    /* 640 -> 512 */
    kk_conv duration;         /* 512 -> 50 */
    kk_lstm shared;           /* 640 -> 512 */
    kk_adain_block f0[3];     /* 512, 512 -> 256 at twice the rate, 256 */
    kk_adain_block energy[3]; /* the same */
    kk_conv f0_projection;    /* 256 -> 1 */
    kk_conv energy_projection;
} kk_prosody_weights;

typedef struct kk_decoder_weights {
    const float *f0_conv, *f0_conv_bias;         /* [3] [1], stride 2 */
    const float *energy_conv, *energy_conv_bias; /* the same */
    kk_conv text_residual;                       /* 512 -> 64 */
    kk_adain_block encode;                       /* 514 -> 1024 */
    kk_adain_block decode[4]; /* 1090 -> 1024 three times, 1090 -> 512 at twice the rate */
} kk_decoder_weights;

/* Residual block of the generator ("AdaINResBlock1"): three pairs of convolutions. */
typedef struct kk_resblock {
    kk_conv style1[3], style2[3]; /* 128 -> 2 C */
    kk_conv conv1[3], conv2[3];   /* C -> C, dilations 1, 3, 5 and 1 */
    kk_toom toom1[3], toom2[3];   /* the same with fewer multiplications, or nothing */
    const float *alpha1[3], *inv_alpha1[3], *alpha2[3], *inv_alpha2[3]; /* [C] */
} kk_resblock;

/* Transposed convolution of width 2 * stride: output phase r < stride / 2 has the taps of rows
 * q - 1 and q ("early"), the others of q and q + 1 ("late"). */
typedef struct kk_upsample {
    kk_conv early, late; /* C_in -> stride / 2 * C_out, K 2 */
} kk_upsample;

typedef struct kk_generator_weights {
    const float *source, *source_bias; /* [9] [1] */
    const float *stft_window;          /* [20] */
    kk_conv noise_conv[2];             /* 12 * 22 -> 256 every 6 rows; 22 -> 128 */
    kk_resblock noise_block[2];        /* C 256 K 7; C 128 K 11 */
    kk_upsample up[2];                 /* 512 -> 256 by 10; 256 -> 128 by 6 */
    kk_resblock block[6];              /* C 256 K 3, 7, 11; C 128 K 3, 7, 11 */
    kk_conv post;                      /* 128 -> 22, K 7 */
    const float *inverse_basis;        /* [22][20] */
    const float *window_sum;           /* [20] */
} kk_generator_weights;

typedef struct kk_weights {
    kk_albert_weights albert;
    kk_text_encoder_weights text_encoder;
    kk_prosody_weights prosody;
    kk_decoder_weights decoder;
    kk_generator_weights generator;
} kk_weights;

/* What a row of the table is, by the shape in the file. */
enum {
    KK_W_VECTOR,    /* tensor `name` of out * in * k values, as they lie */
    KK_W_FLAT,      /* weight of the node `name`, [out][in][k] as it lies, in float */
    KK_W_DEPTHWISE, /* weight [out][1][k] of the node `name`, turned to [k][out] */
    KK_W_CONV,      /* weight [out][in][k] of the node `name` */
    KK_W_TOOM,      /* the same, transformed; only of integers, where kernels gain by bf16 */
    KK_W_WIDE,      /* the same as a product of rows of k * in inputs */
    KK_W_MATRIX,    /* weight [in][out] of the node `name` */
    KK_W_EARLY,     /* weight [in][out][k] of the transposed node `name`: kk_upsample */
    KK_W_LATE,
    KK_W_LSTM /* node `name`: [2][4 out][in] and [2][4 out][out], or transposed as int8 */
};

typedef struct kk_weight_row {
    int kind;
    size_t field;     /* offset in kk_weights: const float *, kk_conv, kk_toom or kk_lstm */
    const char *name; /* of the tensor or the node; nodes also under name + "_quant" */
    const char *bias; /* tensor of the bias; NULL: zeros */
    size_t out, in, k;
    size_t stride, dilation; /* of a convolution; 0: it is none */
} kk_weight_row;

extern const kk_weight_row kk_weight_table[];
extern const size_t kk_n_weights;

#endif
