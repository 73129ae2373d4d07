/*
 * pack.c - one row of the table of weights: found in the export, checked, and put into the order of
 * the kernels.
 *
 * A quantised weight is (q - zero) * scale. q - zero is a whole number below 256 in size, exact in
 * bf16, so the packed weights hold it and the kernels apply the scale after the sum. Float weights
 * stay floats.
 */
#include "model/native/pack.h"

#include "base/status.h"
#include "model/onnx/onnx.h"

#include <stdio.h>
#include <string.h>

enum { TOOM_POINTS = 7 };

/* A matrix or convolution as the kernels see it, and where its parts lie in the export. */
typedef struct geometry {
    size_t C_out, C_in, K; /* K of KK_W_TOOM: products */
    size_t n_copies;       /* of scale and bias: phases of a transposed convolution */
    size_t padded;         /* C_out in whole panels */
    size_t weight_size;    /* bytes */
} geometry;

static geometry geometry_of(const kk_weight_row *row, size_t panel, int is_pairs)
{
    geometry g = {row->out, row->in, row->k, 1, 0, 0};
    if (row->kind == KK_W_WIDE) {
        g.C_in = row->in * row->k;
        g.K = 1;
    } else if (row->kind == KK_W_EARLY || row->kind == KK_W_LATE) {
        g.n_copies = row->k / 4; /* half of the stride, which is half of the width */
        g.C_out = row->out * g.n_copies;
        g.K = 2;
    } else if (row->kind == KK_W_LSTM) {
        g.C_out = 8 * row->out;
    } else if (row->kind == KK_W_TOOM) {
        const kk_toom_shape shape = kk_toom_cut(row->k, TOOM_POINTS);
        g.K = kk_toom_products(&shape);
    }
    g.padded = (g.C_out + panel - 1) / panel * panel;
    const size_t inputs = is_pairs ? (g.C_in + 1) / 2 * 2 : g.C_in;
    g.weight_size = g.padded * g.K * inputs * (is_pairs == 1 ? sizeof(uint16_t) : sizeof(float));
    return g;
}

static int is_plain(const kk_weight_row *row)
{
    return row->kind == KK_W_VECTOR || row->kind == KK_W_FLAT || row->kind == KK_W_DEPTHWISE;
}

static size_t recurrent_size(const kk_weight_row *row, int is_pairs)
{
    return 2 * 4 * row->out * row->out * (is_pairs ? sizeof(uint16_t) : sizeof(float));
}

/* Where the parts of a matrix begin in its row's data, behind the weights; the recurrent ones and
 * the end behind them only of KK_W_LSTM. */
typedef struct row_parts {
    size_t scale, bias, recurrent, r_scale;
} row_parts;

static row_parts parts_of(const kk_weight_row *row, const geometry *g, int is_pairs)
{
    const size_t vector_size = kk_pack_aligned(g->padded * sizeof(float));
    row_parts parts = {.scale = kk_pack_aligned(g->weight_size)};
    parts.bias = parts.scale + vector_size;
    parts.recurrent = parts.bias + vector_size;
    parts.r_scale = parts.recurrent + recurrent_size(row, is_pairs);
    return parts;
}

static float *floats_at(unsigned char *data, size_t offset)
{
    return (float *)(void *)(data + offset);
}

size_t kk_pack_size(const kk_weight_row *row, size_t panel, int is_pairs)
{
    if (row->kind == KK_W_TOOM && !is_pairs)
        return 0;
    if (is_plain(row))
        return kk_pack_aligned(row->out * row->in * row->k * sizeof(float));
    const geometry g = geometry_of(row, panel, is_pairs);
    const row_parts parts = parts_of(row, &g, is_pairs);
    return row->kind == KK_W_LSTM ? parts.r_scale + 8 * row->out * sizeof(float) : parts.recurrent;
}

void kk_pack_bind(kk_weights *weights, const kk_weight_row *row, const unsigned char *data,
                  size_t panel, int is_pairs)
{
    unsigned char *field = (unsigned char *)weights + row->field;
    if (is_plain(row)) {
        const float *values = (const float *)(const void *)data;
        memcpy(field, &values, sizeof(values));
        return;
    }
    if (row->kind == KK_W_TOOM && !is_pairs)
        return;
    const geometry g = geometry_of(row, panel, is_pairs);
    const row_parts parts = parts_of(row, &g, is_pairs);
    const kk_conv conv = {.weights = data,
                          .scale = (const float *)(const void *)(data + parts.scale),
                          .bias = (const float *)(const void *)(data + parts.bias),
                          .C_in = g.C_in,
                          .C_out = g.C_out,
                          .K = g.K,
                          .is_pairs = is_pairs};
    if (row->kind == KK_W_TOOM) {
        const kk_toom toom = {.weights = conv.weights,
                              .is_float = is_pairs == 2,
                              .scale = conv.scale,
                              .bias = conv.bias,
                              .C = row->out,
                              .K = row->k,
                              .shape = kk_toom_cut(row->k, TOOM_POINTS)};
        memcpy(field, &toom, sizeof(toom));
        return;
    }
    if (row->kind != KK_W_LSTM) {
        memcpy(field, &conv, sizeof(conv));
        return;
    }
    const kk_lstm lstm = {.input = conv,
                          .recurrent = data + parts.recurrent,
                          .r_scale = (const float *)(const void *)(data + parts.r_scale),
                          .H = row->out};
    memcpy(field, &lstm, sizeof(lstm));
}

/* ---- finding ---- */

/* A weight of the export: values, and for integers what turns them into reals. */
typedef struct source {
    const kk_onnx_tensor *values, *scale, *zero; /* scale NULL: floats */
} source;

static const kk_onnx_node *find_node(const kk_onnx *onnx, const char *name)
{
    char quantised[256];
    const kk_onnx_node *node = kk_onnx_node_find(onnx, name);
    if (node != NULL)
        return node;
    (void)snprintf(quantised, sizeof(quantised), "%s_quant", name);
    return kk_onnx_node_find(onnx, quantised);
}

static const kk_onnx_tensor *find_input(const kk_onnx *onnx, const kk_onnx_node *node, size_t i)
{
    return node != NULL && i < node->n_inputs ? kk_onnx_tensor_find(onnx, node->inputs[i]) : NULL;
}

/* The scale of a quantised tensor lies beside it: X_quantized, X_scale, X_zero_point. */
static const kk_onnx_tensor *find_beside(const kk_onnx *onnx, const char *name, const char *ending)
{
    static const char quantised[] = "_quantized";
    char other[256];
    size_t len = strlen(name);
    if (len < sizeof(quantised) || strcmp(name + len - sizeof(quantised) + 1, quantised) != 0)
        return NULL;
    (void)snprintf(other, sizeof(other), "%.*s%s", (int)(len - sizeof(quantised) + 1), name,
                   ending);
    return kk_onnx_tensor_find(onnx, other);
}

static int is_integer(const kk_onnx_tensor *tensor)
{
    return tensor->type == KK_ONNX_INT8 || tensor->type == KK_ONNX_UINT8;
}

/* One scale and zero for the whole tensor or one an output; n outputs. */
static int check_quantisation(const source *src, size_t n, const char *name, kokoro_error *err)
{
    if (src->values->type == KK_ONNX_FLOAT)
        return KOKORO_OK;
    if (!is_integer(src->values))
        return kk_fail(err, KOKORO_BAD_MODEL,
                       "weight %s has ONNX type %d; known are float and int8", name,
                       src->values->type);
    if (src->scale == NULL || src->scale->type != KK_ONNX_FLOAT ||
        (src->scale->n_elements != 1 && src->scale->n_elements != n))
        return kk_fail(err, KOKORO_BAD_MODEL, "weight %s has no float scale of 1 or %zu values",
                       name, n);
    if (src->zero != NULL &&
        (!is_integer(src->zero) || (src->zero->n_elements != 1 && src->zero->n_elements != n)))
        return kk_fail(err, KOKORO_BAD_MODEL, "weight %s has no int8 zero point of 1 or %zu values",
                       name, n);
    return KOKORO_OK;
}

static int check_shape(const kk_onnx_tensor *tensor, const char *name, const size_t *shape,
                       int n_dims, kokoro_error *err)
{
    int same = tensor->n_dims == n_dims;
    for (int i = 0; same && i < n_dims; i++)
        same = tensor->dims[i] >= 0 && (uint64_t)tensor->dims[i] == shape[i];
    if (same)
        return KOKORO_OK;
    char have[128] = "", want[128] = "";
    for (int i = 0; i < tensor->n_dims; i++)
        (void)snprintf(have + strlen(have), sizeof(have) - strlen(have), "%s%lld",
                       i > 0 ? ", " : "", (long long)tensor->dims[i]);
    for (int i = 0; i < n_dims; i++)
        (void)snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s%zu", i > 0 ? ", " : "",
                       shape[i]);
    return kk_fail(err, KOKORO_BAD_MODEL, "weight %s has the shape [%s], not [%s]", name, have,
                   want);
}

static int find_weight(const kk_onnx *onnx, const kk_weight_row *row, size_t input, source *src,
                       kokoro_error *err)
{
    const kk_onnx_node *node = find_node(onnx, row->name);
    if (node == NULL)
        return kk_fail(err, KOKORO_BAD_MODEL, "the model has no node %s", row->name);
    src->values = find_input(onnx, node, input);
    if (src->values == NULL)
        return kk_fail(err, KOKORO_BAD_MODEL, "input %zu of node %s is not a weight", input,
                       row->name);
    src->scale = src->zero = NULL;
    if (is_integer(src->values)) {
        if (row->kind == KK_W_LSTM) { /* DynamicQuantizeLSTM: scale and zero after the states */
            src->scale = find_input(onnx, node, input == 1 ? 8 : 10);
            src->zero = find_input(onnx, node, input == 1 ? 9 : 11);
        } else {
            src->scale = find_beside(onnx, src->values->name, "_scale");
            src->zero = find_input(onnx, node, 3);
        }
    }
    return KOKORO_OK;
}

/* The convolution steps over its input as the network does: its nodes' attributes, in one
 * dimension, with the defaults of the ONNX operators. */
static int check_steps(const kk_onnx *onnx, const kk_weight_row *row, kokoro_error *err)
{
    const kk_onnx_node *node = find_node(onnx, row->name);
    const int is_depthwise = row->kind == KK_W_DEPTHWISE;
    const size_t pad = row->k % 2 == 1 ? row->k / 2 * row->dilation : (row->k - row->stride) / 2;
    const struct {
        const char *name;
        size_t n;
        int64_t by_default, want;
    } attributes[] = {{"strides", 1, 1, (int64_t)row->stride},
                      {"dilations", 1, 1, (int64_t)row->dilation},
                      {"pads", 2, 0, (int64_t)pad},
                      {"output_padding", 1, 0, is_depthwise},
                      {"group", 1, 1, is_depthwise ? (int64_t)row->out : 1}};
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        const int64_t by_default = attributes[i].by_default, want = attributes[i].want;
        int64_t values[2] = {by_default, by_default};
        const size_t n = kk_onnx_attribute_ints(node, attributes[i].name, values, 2);
        if (n != 0 && n != attributes[i].n)
            return kk_fail(err, KOKORO_BAD_MODEL, "node %s has %zu %s, not %zu", row->name, n,
                           attributes[i].name, attributes[i].n);
        for (size_t k = 0; k < attributes[i].n; k++) {
            if (values[k] != want)
                return kk_fail(err, KOKORO_BAD_MODEL, "node %s has %s %lld, not %lld", row->name,
                               attributes[i].name, (long long)values[k], (long long)want);
        }
    }
    return KOKORO_OK;
}

static int find_vector(const kk_onnx *onnx, const char *name, size_t n, source *src,
                       kokoro_error *err)
{
    char quantised[256];
    src->values = kk_onnx_tensor_find(onnx, name);
    src->scale = src->zero = NULL;
    if (src->values == NULL) {
        (void)snprintf(quantised, sizeof(quantised), "%s_quantized", name);
        src->values = kk_onnx_tensor_find(onnx, quantised);
        src->scale = find_beside(onnx, quantised, "_scale");
        src->zero = find_beside(onnx, quantised, "_zero_point");
    }
    if (src->values == NULL)
        return kk_fail(err, KOKORO_BAD_MODEL, "the model has no tensor %s", name);
    if (src->values->n_elements != n)
        return kk_fail(err, KOKORO_BAD_MODEL, "tensor %s has %zu values, not %zu", name,
                       src->values->n_elements, n);
    return check_quantisation(src, 1, name, err);
}

static int inspect_lstm(const kk_onnx *onnx, const kk_weight_row *row, int *is_pairs,
                        kokoro_error *err)
{
    const size_t H = row->out;
    for (size_t input = 1; input <= 2; input++) {
        source src;
        int status = find_weight(onnx, row, input, &src, err);
        if (status == KOKORO_OK)
            status = check_quantisation(&src, 2, row->name, err);
        if (status != KOKORO_OK)
            return status;
        const size_t in = input == 1 ? row->in : H;
        const size_t rows[3] = {2, 4 * H, in}, columns[3] = {2, in, 4 * H};
        int quantised = is_integer(src.values);
        if (input == 2 && quantised != *is_pairs)
            return kk_fail(err, KOKORO_BAD_MODEL, "node %s is quantised by half", row->name);
        *is_pairs = quantised;
        status = check_shape(src.values, row->name, quantised ? columns : rows, 3, err);
        if (status != KOKORO_OK)
            return status;
    }
    const kk_onnx_tensor *bias = find_input(onnx, find_node(onnx, row->name), 3);
    if (bias == NULL || bias->type != KK_ONNX_FLOAT || bias->n_elements != 16 * H)
        return kk_fail(err, KOKORO_BAD_MODEL, "node %s has no bias of [2, %zu] floats", row->name,
                       8 * H);
    return KOKORO_OK;
}

/* The shape of a table; of a vector only how many values it has, which may stand in any dimension.
 */
static int inspect_vector(const kk_onnx *onnx, const kk_weight_row *row, kokoro_error *err)
{
    source src;
    const size_t table[2] = {row->out, row->in};
    const int status = find_vector(onnx, row->name, row->out * row->in, &src, err);
    return status == KOKORO_OK && row->in > 1 ? check_shape(src.values, row->name, table, 2, err)
                                              : status;
}

int kk_pack_inspect(const kk_onnx *onnx, const kk_weight_row *row, int *is_pairs, kokoro_error *err)
{
    source src;
    *is_pairs = 0;
    if (row->kind == KK_W_VECTOR)
        return inspect_vector(onnx, row, err);
    if (row->kind == KK_W_LSTM)
        return inspect_lstm(onnx, row, is_pairs, err);
    int status = find_weight(onnx, row, 1, &src, err);
    if (status == KOKORO_OK)
        status = check_quantisation(&src, row->out, row->name, err);
    if (status != KOKORO_OK)
        return status;
    const size_t conv[3] = {row->out, row->in, row->k}, matrix[2] = {row->in, row->out},
                 transposed[3] = {row->in, row->out, row->k};
    if (row->kind == KK_W_MATRIX || strstr(row->name, "MatMul") != NULL)
        status = check_shape(src.values, row->name, matrix, 2, err);
    else if (row->kind == KK_W_EARLY || row->kind == KK_W_LATE)
        status = check_shape(src.values, row->name, transposed, 3, err);
    else
        status = check_shape(src.values, row->name, conv, 3, err);
    if (status == KOKORO_OK && row->stride > 0)
        status = check_steps(onnx, row, err);
    if (status != KOKORO_OK)
        return status;
    if (row->bias != NULL) {
        source bias;
        status = find_vector(onnx, row->bias, row->out, &bias, err);
        if (status == KOKORO_OK && bias.values->type != KK_ONNX_FLOAT)
            status = kk_fail(err, KOKORO_BAD_MODEL, "bias %s is not of floats", row->bias);
    }
    *is_pairs = !is_plain(row) && is_integer(src.values);
    return status;
}

/* ---- packing ---- */

static float float_at(const kk_onnx_tensor *tensor, size_t i)
{
    float value;
    memcpy(&value, (const unsigned char *)tensor->data + i * sizeof(value), sizeof(value));
    return value;
}

static int integer_at(const kk_onnx_tensor *tensor, size_t i)
{
    return tensor->type == KK_ONNX_INT8 ? ((const signed char *)tensor->data)[i]
                                        : ((const unsigned char *)tensor->data)[i];
}

static int zero_of(const source *src, size_t output)
{
    if (src->zero == NULL)
        return 0;
    return integer_at(src->zero, src->zero->n_elements == 1 ? 0 : output);
}

static float scale_of(const source *src, size_t output)
{
    if (src->scale == NULL)
        return 1.0f;
    return float_at(src->scale, src->scale->n_elements == 1 ? 0 : output);
}

static float real_at(const source *src, size_t i, size_t output)
{
    if (src->scale == NULL)
        return float_at(src->values, i);
    return (float)(integer_at(src->values, i) - zero_of(src, output)) * scale_of(src, output);
}

/* Where w[o][k][c] lies: base + o * o_step + k * k_step + c * c_step elements into the tensor. */
typedef struct strides {
    size_t base, o_step, k_step, c_step;
} strides;

/* One output's weights into its lane of its panel. */
static void pack_output(unsigned char *data, const source *src, int zero, const strides *at,
                        const geometry *g, size_t o, size_t panel)
{
    const size_t first = at->base + o * at->o_step, lane = o % panel;
    if (src->scale == NULL) {
        float *to = (float *)(void *)data + o / panel * g->K * g->C_in * panel + lane;
        for (size_t k = 0; k < g->K; k++) {
            for (size_t c = 0; c < g->C_in; c++, to += panel)
                *to = float_at(src->values, first + k * at->k_step + c * at->c_step);
        }
        return;
    }
    const size_t n_pairs = (g->C_in + 1) / 2;
    uint16_t *to = (uint16_t *)(void *)data + (o / panel * g->K * n_pairs * panel + lane) * 2;
    for (size_t k = 0; k < g->K; k++, to += n_pairs * panel * 2) {
        for (size_t c = 0; c < g->C_in; c++) {
            const int q = integer_at(src->values, first + k * at->k_step + c * at->c_step);
            to[c / 2 * panel * 2 + c % 2] = kk_bf16_from_float((float)(q - zero));
        }
    }
}

static void pack_lstm(const kk_onnx *onnx, const kk_weight_row *row, unsigned char *data,
                      size_t panel)
{
    kokoro_error err;
    source w, r;
    const size_t H = row->out;
    if (find_weight(onnx, row, 1, &w, &err) != KOKORO_OK ||
        find_weight(onnx, row, 2, &r, &err) != KOKORO_OK)
        return; /* kk_pack_inspect has found them */
    const kk_onnx_tensor *biases = find_input(onnx, find_node(onnx, row->name), 3);
    const int is_pairs = w.scale != NULL;
    const geometry g = geometry_of(row, panel, is_pairs), rg = {4 * H, H, 1, 1, 4 * H, 0};
    const row_parts parts = parts_of(row, &g, is_pairs);
    float *scale = floats_at(data, parts.scale), *bias = floats_at(data, parts.bias),
          *r_scale = floats_at(data, parts.r_scale);
    unsigned char *recurrent = data + parts.recurrent;
    for (size_t o = 0; o < 8 * H; o++) {
        const size_t direction = o / (4 * H), gate = o % (4 * H);
        /* Integers lie as [2][in][4H], floats as [2][4H][in]. */
        const strides wide = {direction * 4 * H * row->in, 1, 0, 4 * H},
                      tall = {direction * 4 * H * row->in, row->in, 0, 1};
        strides at = is_pairs ? wide : tall;
        at.base -= direction * 4 * H * at.o_step; /* outputs count on over both directions */
        pack_output(data, &w, zero_of(&w, direction), &at, &g, o, panel);
        const strides r_wide = {direction * 4 * H * H, 1, 0, 4 * H},
                      r_tall = {direction * 4 * H * H, H, 0, 1};
        pack_output(recurrent + direction * recurrent_size(row, is_pairs) / 2, &r,
                    zero_of(&r, direction), is_pairs ? &r_wide : &r_tall, &rg, gate, panel);
        scale[o] = scale_of(&w, direction);
        r_scale[o] = scale_of(&r, direction);
        bias[o] = float_at(biases, direction * 8 * H + gate) +
                  float_at(biases, direction * 8 * H + 4 * H + gate);
    }
}

/* One output's transformed weights into its lane of its panel; K 3, 7 or 11. */
static void pack_toom(unsigned char *data, const source *src, int zero, const kk_weight_row *row,
                      const geometry *g, size_t o, size_t panel, int is_float)
{
    const kk_toom_shape shape = kk_toom_cut(row->k, TOOM_POINTS);
    const size_t n_pairs = row->in / 2, n_products = g->K;
    uint16_t *to =
        (uint16_t *)(void *)data + (o / panel * n_products * n_pairs * panel + o % panel) * 2;
    float *singles = (float *)(void *)data;
    double w[KK_TOOM_MAX_WIDTH], products[KK_TOOM_MAX_PRODUCTS];
    for (size_t c = 0; c < row->in; c++) {
        for (size_t k = 0; k < row->k; k++)
            w[k] = integer_at(src->values, (o * row->in + c) * row->k + k) - zero;
        kk_toom_weights(products, w, row->k, &shape);
        for (size_t p = 0; is_float && p < n_products; p++)
            singles[((o / panel * n_products + p) * row->in + c) * panel + o % panel] =
                (float)products[p];
        for (size_t p = 0; !is_float && p < n_products; p++)
            to[((p * n_pairs + c / 2) * panel) * 2 + c % 2] =
                kk_bf16_from_float((float)products[p]);
    }
}

/* Output o of an upsampling half: phase o / out of its half, tap 0 the earlier row. */
static strides phase_strides(const kk_weight_row *row, size_t phase)
{
    const size_t stride = row->k / 2, half = stride / 2;
    /* k = r + half for row q, r + half + stride for q - 1, r + half - stride for q + 1. */
    const size_t first = row->kind == KK_W_EARLY ? phase + half + stride : phase + half + half;
    return (strides){first, row->k, 0 - stride, row->out * row->k};
}

static void pack_matrix(const kk_onnx *onnx, const kk_weight_row *row, unsigned char *data,
                        size_t panel, int is_pairs)
{
    kokoro_error err;
    source src, bias = {NULL, NULL, NULL};
    if (find_weight(onnx, row, 1, &src, &err) != KOKORO_OK ||
        (row->bias != NULL && find_vector(onnx, row->bias, row->out, &bias, &err) != KOKORO_OK))
        return;
    const geometry g = geometry_of(row, panel, is_pairs);
    const row_parts parts = parts_of(row, &g, is_pairs);
    float *scales = floats_at(data, parts.scale), *biases = floats_at(data, parts.bias);
    for (size_t o = 0; o < g.C_out; o++) {
        const size_t output = o % row->out;
        strides at = {0, row->in * row->k, 1, row->k};
        if (row->kind == KK_W_MATRIX)
            at = (strides){0, 1, 0, row->out};
        else if (g.n_copies > 1) {
            at = phase_strides(row, o / row->out);
            at.base -= o / row->out * row->out * at.o_step;
        }
        scales[o] = scale_of(&src, output);
        biases[o] = bias.values != NULL ? float_at(bias.values, output) : 0.0f;
        if (row->kind == KK_W_TOOM) {
            pack_toom(data, &src, zero_of(&src, output), row, &g, o, panel, is_pairs == 2);
            continue;
        }
        if (row->kind != KK_W_WIDE) {
            pack_output(data, &src, zero_of(&src, output), &at, &g, o, panel);
            continue;
        }
        /* Inputs in the order [k][in] of the rows that lie side by side in memory. */
        const geometry part = {g.C_out, row->in, row->k, 1, g.padded, 0};
        pack_output(data, &src, zero_of(&src, output), &at, &part, o, panel);
    }
}

void kk_pack_row(const kk_onnx *onnx, const kk_weight_row *row, unsigned char *data, size_t panel,
                 int is_pairs)
{
    if (row->kind == KK_W_TOOM && !is_pairs)
        return;
    if (row->kind == KK_W_LSTM) {
        pack_lstm(onnx, row, data, panel);
        return;
    }
    if (!is_plain(row)) {
        pack_matrix(onnx, row, data, panel, is_pairs);
        return;
    }
    kokoro_error err;
    source src;
    const size_t n = row->out * row->in * row->k;
    float *to = (float *)(void *)data;
    const int status = row->kind == KK_W_VECTOR ? find_vector(onnx, row->name, n, &src, &err)
                                                : find_weight(onnx, row, 1, &src, &err);
    if (status != KOKORO_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        const size_t at = row->kind == KK_W_DEPTHWISE ? i % row->k * row->out + i / row->k : i;
        to[at] = real_at(&src, i, 0);
    }
}
