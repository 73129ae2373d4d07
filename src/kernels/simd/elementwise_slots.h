/* elementwise_slots.h - the slots of a table that elementwise_body.h fills. */
#ifndef KK_KERNELS_SIMD_ELEMENTWISE_BODY_H
#error "include elementwise_body.h first"
#endif

.activate_bf16 = activate_bf16_kernel,
    .activate = activate_kernel, .column_sums = column_sums_kernel, .layer_norm = layer_norm_kernel,
    .gelu_tanh = gelu_tanh_kernel, .softmax = softmax_kernel, .sin = sin_kernel, .exp = exp_kernel,
    .tanh = tanh_kernel, .sigmoid = sigmoid_kernel, .atan2 = atan2_kernel,
