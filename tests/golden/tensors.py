"""The inner tensors of the Kokoro graph that the native engine is compared with.

Each entry: the name of the file, the name of the graph's tensor, its layout in the graph. In a
layout T is time (tokens, frames or samples), C channels, 1 a dimension of one. Files are always
time-major: [T][C], or [T].
"""
import numpy as np

_ALBERT = "/encoder/bert/encoder/albert_layer_groups.0/albert_layers.0/"
_DECODER = "/decoder/decoder/"
_GENERATOR = "/decoder/decoder/generator/"

TENSORS = (
    # Tokens: T is the number of tokens, N.
    ("albert", _ALBERT + "full_layer_layer_norm_11/LayerNormalization_output_0", "1TC"),
    ("bert_encoder", "/encoder/bert_encoder/Add_output_0", "1TC"),
    ("text_encoder", "/encoder/text_encoder/lstm/Reshape_output_0", "T1C"),
    ("duration_encoder", "/encoder/predictor/text_encoder/Concat_4_output_0", "1TC"),
    ("duration_raw", "/encoder/Div_output_0", "1T"),
    ("durations", "/encoder/Clip_output_0", "1T"),
    # Frames: T is F, the sum of the durations.
    ("prosody_aligned", "/encoder/MatMul_output_0", "1CT"),
    ("text_aligned", "/encoder/MatMul_1_output_0", "1CT"),
    ("shared", "/encoder/shared/Reshape_output_0", "T1C"),
    # Half frames: T is 2 F, but F for the decoder's first four blocks.
    ("f0", "/encoder/F0_proj/Conv_output_0", "11T"),
    ("energy", "/encoder/N_proj/Conv_output_0", "11T"),
    ("decoder_encode", _DECODER + "encode/Div_3_output_0", "1CT"),
    ("decoder_0", _DECODER + "decode.0/Div_3_output_0", "1CT"),
    ("decoder_1", _DECODER + "decode.1/Div_3_output_0", "1CT"),
    ("decoder_2", _DECODER + "decode.2/Div_3_output_0", "1CT"),
    ("decoder_3", _DECODER + "decode.3/Div_4_output_0", "1CT"),
    # The generator: T is 600 F for sound, 120 F + 1 for spectra; 20 F and 120 F + 1 for its stages.
    ("source", _GENERATOR + "m_source/l_tanh/Tanh_output_0", "1T1"),
    ("source_stft", _GENERATOR + "Concat_3_output_0", "1CT"),
    ("noise_0", _GENERATOR + "noise_res.0/Add_8_output_0", "1CT"),
    ("noise_1", _GENERATOR + "noise_res.1/Add_8_output_0", "1CT"),
    ("generator_0", _GENERATOR + "Div_2_output_0", "1CT"),
    ("generator_1", _GENERATOR + "Div_4_output_0", "1CT"),
    ("post", _GENERATOR + "conv_post/Conv_output_0", "1CT"),
    ("audio", "audio", "T"),
)


def time_major(values, layout):
    """The array [T][C] or [T] of a graph's tensor."""
    values = np.asarray(values, dtype="<f4")
    if values.ndim != len(layout):
        raise ValueError(f"{values.ndim} dimensions, {layout} expected")
    for size, letter in zip(values.shape, layout):
        if letter == "1" and size != 1:
            raise ValueError(f"shape {values.shape} is not {layout}")
    kept = "".join(letter for letter in layout if letter != "1")
    values = values.reshape([size for size, letter in zip(values.shape, layout) if letter != "1"])
    return np.ascontiguousarray(values.T if kept == "CT" else values)
