/*
 * onnx_phase.h - the phase of the harmonic source where its imaginary part is exactly 0.
 *
 * The export works out the angle of the source's spectrum from an arc tangent:
 *
 *     re < 0 ? (im > 0 ? atan(im / re) + pi : atan(im / re) - pi) : atan(im / re)
 *
 * In the lowest bin, which is real and for most frames negative, that is -pi where im is 0 and pi
 * where rounding made it a little more. ONNX Runtime's transform rounds to more for nine frames of
 * ten; OpenVINO's gives exact zeros, so all of its frames have the other sign, and the network,
 * which sees the phases, answers with a sound 1.3 dB quieter (docs/BENCHMARK.md). Asked for im < 0
 * instead, with the two branches exchanged, 0 gives pi, as atan2 does in the model's own program.
 */
#ifndef KK_MODEL_ONNX_ONNX_PHASE_H
#define KK_MODEL_ONNX_ONNX_PHASE_H

#include <stdbool.h>
#include <stddef.h>

/* Change the question and exchange the branches in a file's bytes, whose length stays. False, and
 * nothing is changed, where the graph has no such place or more than one. */
bool kk_onnx_mend_phase(unsigned char *data, size_t len);

#endif
