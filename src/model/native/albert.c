/*
 * albert.c - ALBERT (Lan et al. 2019): one layer's weights passed twelve times.
 *
 *   x = mapping(norm(word + position + type))
 *   12 x:  a = norm(x + dense(attention(query(x), key(x), value(x))))
 *          x = norm(a + ffn_output(gelu(ffn(a))))
 *
 * There is no mask: a chunk has no padding but its first and last token, which the model was
 * trained to see.
 */
#include "model/native/network.h"

static const float EPSILON = 1e-12f;
enum { EMBEDDING = 128, HEADS = 12, HEAD_SIZE = 64, FFN = 2048, ROWS = 16 };

typedef struct albert_job {
    const kk_ops *ops;
    const kk_albert_weights *w;
    const int64_t *ids;
    float *x, *a, *b; /* [N][768], [N][768], [N][2048] */
} albert_job;

static void embed_rows(void *context, size_t first, size_t n)
{
    const albert_job *job = context;
    const kk_albert_weights *w = job->w;
    for (size_t t = first; t < first + n; t++) {
        const float *word = w->word + (size_t)job->ids[t] * EMBEDDING,
                    *position = w->position + t * EMBEDDING;
        float *dst = job->b + t * EMBEDDING;
        for (size_t c = 0; c < EMBEDDING; c++)
            dst[c] = word[c] + w->type[c] + position[c];
    }
    float *rows = job->b + first * EMBEDDING;
    job->ops->kernels->layer_norm(rows, rows, NULL, w->embedding_norm.gain, w->embedding_norm.shift,
                                  EPSILON, n, EMBEDDING);
}

static void attention_norm_rows(void *context, size_t first, size_t n)
{
    const albert_job *job = context;
    const size_t at = first * KK_ALBERT_SIZE;
    job->ops->kernels->layer_norm(job->a + at, job->x + at, job->a + at,
                                  job->w->attention_norm.gain, job->w->attention_norm.shift,
                                  EPSILON, n, KK_ALBERT_SIZE);
}

static void gelu_rows(void *context, size_t first, size_t n)
{
    const albert_job *job = context;
    job->ops->kernels->gelu_tanh(job->b + first * FFN, n * FFN);
}

static void full_norm_rows(void *context, size_t first, size_t n)
{
    const albert_job *job = context;
    const size_t at = first * KK_ALBERT_SIZE;
    job->ops->kernels->layer_norm(job->x + at, job->x + at, job->a + at, job->w->full_norm.gain,
                                  job->w->full_norm.shift, EPSILON, n, KK_ALBERT_SIZE);
}

/* One pass of the layer: x [N][768] in place; heads [N][3][768] is scratch. */
static int layer(const albert_job *job, float *heads, size_t N)
{
    const kk_ops *ops = job->ops;
    const kk_albert_weights *w = job->w;
    const size_t C = KK_ALBERT_SIZE, stride = 3 * C;
    float *q = heads, *k = heads + C, *v = heads + 2 * C;
    int status = kk_linear(ops, &w->query, q, stride, job->x, C, N);
    if (status == KOKORO_OK)
        status = kk_linear(ops, &w->key, k, stride, job->x, C, N);
    if (status == KOKORO_OK)
        status = kk_linear(ops, &w->value, v, stride, job->x, C, N);
    if (status == KOKORO_OK)
        status = kk_attention(ops, job->b, C, q, k, v, stride, N, HEADS, HEAD_SIZE);
    if (status == KOKORO_OK)
        status = kk_linear(ops, &w->dense, job->a, C, job->b, C, N);
    if (status != KOKORO_OK)
        return status;
    albert_job copy = *job;
    kk_for_rows(ops, attention_norm_rows, &copy, N, ROWS);
    status = kk_linear(ops, &w->ffn, job->b, FFN, job->a, C, N);
    if (status != KOKORO_OK)
        return status;
    kk_for_rows(ops, gelu_rows, &copy, N, ROWS);
    /* The sum x + a of the second normalisation: the product overwrites x, which is used up. */
    status = kk_linear(ops, &w->ffn_output, job->x, C, job->b, FFN, N);
    if (status == KOKORO_OK)
        kk_for_rows(ops, full_norm_rows, &copy, N, ROWS);
    return status;
}

int kk_albert(const kk_ops *ops, const kk_albert_weights *w, float *dst, const int64_t *ids,
              size_t N)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    albert_job job = {.ops = ops, .w = w, .ids = ids, .x = dst};
    job.a = kk_workspace_floats(ops->ws, N * KK_ALBERT_SIZE);
    job.b = kk_workspace_floats(ops->ws, N * FFN);
    float *heads = kk_workspace_floats(ops->ws, N * 3 * KK_ALBERT_SIZE);
    if (job.a == NULL || job.b == NULL || heads == NULL)
        return KOKORO_NO_MEMORY;
    kk_for_rows(ops, embed_rows, &job, N, ROWS);
    int status = kk_linear(ops, &w->mapping, job.x, KK_ALBERT_SIZE, job.b, EMBEDDING, N);
    for (int i = 0; i < KK_ALBERT_LAYERS && status == KOKORO_OK; i++)
        status = layer(&job, heads, N);
    kk_workspace_release(ops->ws, mark);
    return status;
}
