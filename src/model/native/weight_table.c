/*
 * weight_table.c - where each weight comes from: {kind, field, name in the export, bias, shape,
 * steps}.
 *
 * Matrix products have anonymous weights in the export and are bound through the node that reads
 * them; convolutions too, since a quantised and an expanded file name the tensors differently.
 */
#include "model/native/weights.h"

#define AT(field) offsetof(kk_weights, field)

#define VECTOR(field, name, n)                                                                     \
    {                                                                                              \
        KK_W_VECTOR, AT(field), name, NULL, n, 1, 1, 0, 0                                          \
    }
#define CONV(field, node, bias, out, in, k)                                                        \
    {                                                                                              \
        KK_W_CONV, AT(field), node, bias, out, in, k, 1, 1                                         \
    }
/* A matrix of the export that is no product. */
#define TABLE(field, name, n_rows, n_columns)                                                      \
    {                                                                                              \
        KK_W_VECTOR, AT(field), name, NULL, n_rows, n_columns, 1, 0, 0                             \
    }
#define MATRIX(field, node, bias, out, in)                                                         \
    {                                                                                              \
        KK_W_MATRIX, AT(field), node, bias, out, in, 1, 0, 0                                       \
    }
#define STYLE(field, node, bias, C)                                                                \
    MATRIX(field, node "/fc/Gemm_MatMul", bias ".fc.bias", 2 * (C), 128)
#define LSTM(field, node, in)                                                                      \
    {                                                                                              \
        KK_W_LSTM, AT(field), node "/LSTM", NULL, 256, in, 1, 0, 0                                 \
    }
#define NORM(field, gain_name, shift_name, n)                                                      \
    VECTOR(field.gain, gain_name, n), VECTOR(field.shift, shift_name, n)

#define ALBERT "/encoder/bert/encoder/albert_layer_groups.0/albert_layers.0/"
#define ALBERT_BIAS "encoder.bert.encoder.albert_layer_groups.0.albert_layers.0."

#define ADAIN_BLOCK(field, node, bias, in, out)                                                    \
    STYLE(field.style1, node "/norm1", bias ".norm1", in),                                         \
        STYLE(field.style2, node "/norm2", bias ".norm2", out),                                    \
        CONV(field.conv1, node "/conv1/Conv", bias ".conv1.bias", out, in, 3),                     \
        CONV(field.conv2, node "/conv2/Conv", bias ".conv2.bias", out, out, 3)
#define SHORTCUT(field, node, in, out) CONV(field.shortcut, node "/conv1x1/Conv", NULL, out, in, 1)
#define POOL(field, node, bias_name, C)                                                            \
    {KK_W_DEPTHWISE, AT(field.pool), node "/pool/ConvTranspose", NULL, C, 1, 3, 2, 1},             \
        VECTOR(field.pool_bias, bias_name ".pool.bias", C)

#define F0N(field, node, bias)                                                                     \
    ADAIN_BLOCK(field[0], node ".0", bias ".0", 512, 512),                                         \
        ADAIN_BLOCK(field[1], node ".1", bias ".1", 512, 256),                                     \
        SHORTCUT(field[1], node ".1", 512, 256), POOL(field[1], node ".1", bias ".1", 512),        \
        ADAIN_BLOCK(field[2], node ".2", bias ".2", 256, 256)

#define DECODER "/decoder/decoder/"
#define DECODER_BIAS "decoder.decoder."
#define GENERATOR "/decoder/decoder/generator/"
#define GENERATOR_BIAS "decoder.decoder.generator."

#define RES_CONV(kind, field, node, bias, C, K, dilation)                                          \
    {                                                                                              \
        kind, AT(field), GENERATOR node "/Conv", GENERATOR_BIAS bias ".bias", C, C, K, 1, dilation \
    }

/* The reciprocals of alpha are constants of the export: Reciprocal, Reciprocal_1, ... in the order
 * of use, that is alpha1.0, alpha2.0, alpha1.1, ... */
#define RESBLOCK_PAIR(field, name, j, C, K, reciprocal1, reciprocal2)                              \
    STYLE(field.style1[j], GENERATOR name "/adain1." #j, GENERATOR_BIAS name ".adain1." #j, C),    \
        STYLE(field.style2[j], GENERATOR name "/adain2." #j, GENERATOR_BIAS name ".adain2." #j,    \
              C),                                                                                  \
        RES_CONV(KK_W_CONV, field.conv1[j], name "/convs1." #j, name ".convs1." #j, C, K,          \
                 2 * (j) + 1),                                                                     \
        RES_CONV(KK_W_CONV, field.conv2[j], name "/convs2." #j, name ".convs2." #j, C, K, 1),      \
        RES_CONV(KK_W_TOOM, field.toom1[j], name "/convs1." #j, name ".convs1." #j, C, K,          \
                 2 * (j) + 1),                                                                     \
        RES_CONV(KK_W_TOOM, field.toom2[j], name "/convs2." #j, name ".convs2." #j, C, K, 1),      \
        VECTOR(field.alpha1[j], GENERATOR_BIAS name ".alpha1." #j, C),                             \
        VECTOR(field.inv_alpha1[j], GENERATOR name "/" reciprocal1 "_output_0", C),                \
        VECTOR(field.alpha2[j], GENERATOR_BIAS name ".alpha2." #j, C),                             \
        VECTOR(field.inv_alpha2[j], GENERATOR name "/" reciprocal2 "_output_0", C)
#define RESBLOCK(field, name, C, K)                                                                \
    RESBLOCK_PAIR(field, name, 0, C, K, "Reciprocal", "Reciprocal_1"),                             \
        RESBLOCK_PAIR(field, name, 1, C, K, "Reciprocal_2", "Reciprocal_3"),                       \
        RESBLOCK_PAIR(field, name, 2, C, K, "Reciprocal_4", "Reciprocal_5")

#define UPSAMPLE(field, name, out, in, k)                                                          \
    {KK_W_EARLY,                                                                                   \
     AT(field.early),                                                                              \
     GENERATOR name "/ConvTranspose",                                                              \
     GENERATOR_BIAS name ".bias",                                                                  \
     out,                                                                                          \
     in,                                                                                           \
     k,                                                                                            \
     (k) / 2,                                                                                      \
     1},                                                                                           \
    {                                                                                              \
        KK_W_LATE, AT(field.late), GENERATOR name "/ConvTranspose", GENERATOR_BIAS name ".bias",   \
            out, in, k, (k) / 2, 1                                                                 \
    }

/* clang-format off */
const kk_weight_row kk_weight_table[] = {
    TABLE(albert.word, "encoder.bert.embeddings.word_embeddings.weight", 178, 128),
    TABLE(albert.position, "encoder.bert.embeddings.position_embeddings.weight", 512, 128),
    TABLE(albert.type, "encoder.bert.embeddings.token_type_embeddings.weight", 2, 128),
    NORM(albert.embedding_norm, "encoder.bert.embeddings.LayerNorm.weight", "encoder.bert.embeddings.LayerNorm.bias", 128),
    MATRIX(albert.mapping, "/encoder/bert/encoder/embedding_hidden_mapping_in/MatMul", "encoder.bert.encoder.embedding_hidden_mapping_in.bias", 768, 128),
    MATRIX(albert.query, ALBERT "attention/query/MatMul", ALBERT_BIAS "attention.query.bias", 768, 768),
    MATRIX(albert.key, ALBERT "attention/key/MatMul", ALBERT_BIAS "attention.key.bias", 768, 768),
    MATRIX(albert.value, ALBERT "attention/value/MatMul", ALBERT_BIAS "attention.value.bias", 768, 768),
    MATRIX(albert.dense, ALBERT "attention/dense/MatMul", ALBERT_BIAS "attention.dense.bias", 768, 768),
    NORM(albert.attention_norm, ALBERT_BIAS "attention.LayerNorm.weight", ALBERT_BIAS "attention.LayerNorm.bias", 768),
    MATRIX(albert.ffn, ALBERT "ffn/MatMul", ALBERT_BIAS "ffn.bias", 2048, 768),
    MATRIX(albert.ffn_output, ALBERT "ffn_output/MatMul", ALBERT_BIAS "ffn_output.bias", 768, 2048),
    NORM(albert.full_norm, ALBERT_BIAS "full_layer_layer_norm.weight", ALBERT_BIAS "full_layer_layer_norm.bias", 768),

    TABLE(text_encoder.embedding, "encoder.text_encoder.embedding.weight", 178, 512),
    CONV(text_encoder.cnn[0], "/encoder/text_encoder/cnn.0/cnn.0.0/Conv", "encoder.text_encoder.cnn.0.0.bias", 512, 512, 5),
    NORM(text_encoder.norm[0], "encoder.text_encoder.cnn.0.1.gamma", "encoder.text_encoder.cnn.0.1.beta", 512),
    CONV(text_encoder.cnn[1], "/encoder/text_encoder/cnn.1/cnn.1.0/Conv", "encoder.text_encoder.cnn.1.0.bias", 512, 512, 5),
    NORM(text_encoder.norm[1], "encoder.text_encoder.cnn.1.1.gamma", "encoder.text_encoder.cnn.1.1.beta", 512),
    CONV(text_encoder.cnn[2], "/encoder/text_encoder/cnn.2/cnn.2.0/Conv", "encoder.text_encoder.cnn.2.0.bias", 512, 512, 5),
    NORM(text_encoder.norm[2], "encoder.text_encoder.cnn.2.1.gamma", "encoder.text_encoder.cnn.2.1.beta", 512),
    LSTM(text_encoder.lstm, "/encoder/text_encoder/lstm", 512),

    MATRIX(prosody.bert_encoder, "/encoder/bert_encoder/MatMul", "encoder.bert_encoder.bias", 512, 768),
    LSTM(prosody.encoder[0], "/encoder/predictor/text_encoder/lstms.0", 640),
    STYLE(prosody.encoder_style[0], "/encoder/predictor/text_encoder/lstms.1", "encoder.predictor.text_encoder.lstms.1", 512),
    LSTM(prosody.encoder[1], "/encoder/predictor/text_encoder/lstms.2", 640),
    STYLE(prosody.encoder_style[1], "/encoder/predictor/text_encoder/lstms.3", "encoder.predictor.text_encoder.lstms.3", 512),
    LSTM(prosody.encoder[2], "/encoder/predictor/text_encoder/lstms.4", 640),
    STYLE(prosody.encoder_style[2], "/encoder/predictor/text_encoder/lstms.5", "encoder.predictor.text_encoder.lstms.5", 512),
    LSTM(prosody.duration_lstm, "/encoder/predictor/lstm", 640),
    MATRIX(prosody.duration, "/encoder/predictor/duration_proj/linear_layer/MatMul", "encoder.predictor.duration_proj.linear_layer.bias", 50, 512),
    LSTM(prosody.shared, "/encoder/shared", 640),
    F0N(prosody.f0, "/encoder/F0", "encoder.predictor.F0"),
    F0N(prosody.energy, "/encoder/N", "encoder.predictor.N"),
    CONV(prosody.f0_projection, "/encoder/F0_proj/Conv", "encoder.predictor.F0_proj.bias", 1, 256, 1),
    CONV(prosody.energy_projection, "/encoder/N_proj/Conv", "encoder.predictor.N_proj.bias", 1, 256, 1),

    {KK_W_FLAT, AT(decoder.f0_conv), DECODER "F0_conv/Conv", NULL, 1, 1, 3, 2, 1},
    VECTOR(decoder.f0_conv_bias, DECODER_BIAS "F0_conv.bias", 1),
    {KK_W_FLAT, AT(decoder.energy_conv), DECODER "N_conv/Conv", NULL, 1, 1, 3, 2, 1},
    VECTOR(decoder.energy_conv_bias, DECODER_BIAS "N_conv.bias", 1),
    CONV(decoder.text_residual, DECODER "asr_res/asr_res.0/Conv", DECODER_BIAS "asr_res.0.bias", 64, 512, 1),
    ADAIN_BLOCK(decoder.encode, DECODER "encode", DECODER_BIAS "encode", 514, 1024),
    SHORTCUT(decoder.encode, DECODER "encode", 514, 1024),
    ADAIN_BLOCK(decoder.decode[0], DECODER "decode.0", DECODER_BIAS "decode.0", 1090, 1024),
    SHORTCUT(decoder.decode[0], DECODER "decode.0", 1090, 1024),
    ADAIN_BLOCK(decoder.decode[1], DECODER "decode.1", DECODER_BIAS "decode.1", 1090, 1024),
    SHORTCUT(decoder.decode[1], DECODER "decode.1", 1090, 1024),
    ADAIN_BLOCK(decoder.decode[2], DECODER "decode.2", DECODER_BIAS "decode.2", 1090, 1024),
    SHORTCUT(decoder.decode[2], DECODER "decode.2", 1090, 1024),
    ADAIN_BLOCK(decoder.decode[3], DECODER "decode.3", DECODER_BIAS "decode.3", 1090, 512),
    SHORTCUT(decoder.decode[3], DECODER "decode.3", 1090, 512),
    POOL(decoder.decode[3], DECODER "decode.3", DECODER_BIAS "decode.3", 1090),

    {KK_W_FLAT, AT(generator.source), GENERATOR "m_source/l_linear/MatMul", NULL, 1, 9, 1, 0, 0},
    VECTOR(generator.source_bias, GENERATOR_BIAS "m_source.l_linear.bias", 1),
    VECTOR(generator.stft_window, GENERATOR "Constant_17_output_0", 20),
    {KK_W_WIDE, AT(generator.noise_conv[0]), GENERATOR "noise_convs.0/Conv", GENERATOR_BIAS "noise_convs.0.bias", 256, 22, 12, 6, 1},
    CONV(generator.noise_conv[1], GENERATOR "noise_convs.1/Conv", GENERATOR_BIAS "noise_convs.1.bias", 128, 22, 1),
    RESBLOCK(generator.noise_block[0], "noise_res.0", 256, 7),
    RESBLOCK(generator.noise_block[1], "noise_res.1", 128, 11),
    UPSAMPLE(generator.up[0], "ups.0", 256, 512, 20),
    UPSAMPLE(generator.up[1], "ups.1", 128, 256, 12),
    RESBLOCK(generator.block[0], "resblocks.0", 256, 3),
    RESBLOCK(generator.block[1], "resblocks.1", 256, 7),
    RESBLOCK(generator.block[2], "resblocks.2", 256, 11),
    RESBLOCK(generator.block[3], "resblocks.3", 128, 3),
    RESBLOCK(generator.block[4], "resblocks.4", 128, 7),
    RESBLOCK(generator.block[5], "resblocks.5", 128, 11),
    CONV(generator.post, GENERATOR "conv_post/Conv", GENERATOR_BIAS "conv_post.bias", 22, 128, 7),
    VECTOR(generator.inverse_basis, GENERATOR_BIAS "stft.istft.stft.inverse_basis", 22 * 20),
    VECTOR(generator.window_sum, GENERATOR_BIAS "stft.istft.stft.window_sum", 20),
};
/* clang-format on */

const size_t kk_n_weights = sizeof(kk_weight_table) / sizeof(kk_weight_table[0]);
