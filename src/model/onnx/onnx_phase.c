#define _GNU_SOURCE /* memmem */
/*
 * onnx_phase.c - see onnx_phase.h. In wire form a node's fields are NodeProto.input = 1, output =
 * 2, name = 3, op_type = 4, doc_string = 6, each a tag, a length below 128 and its bytes. "Greater"
 * becomes "Less" and a comment of one letter, which together are as long.
 */
#include "model/onnx/onnx_phase.h"

#include <string.h>

#define NODE "/decoder/decoder/generator/"

enum { INPUT = 1 << 3 | 2, NAME = 3 << 3 | 2, OP_TYPE = 4 << 3 | 2, DOC_STRING = 6 << 3 | 2 };

static size_t put(unsigned char *dst, int tag, const char *text)
{
    const size_t len = strlen(text);
    dst[0] = (unsigned char)tag;
    dst[1] = (unsigned char)len;
    memcpy(dst + 2, text, len);
    return len + 2;
}

/* Where the bytes lie, if they do so exactly once; NULL else. */
static unsigned char *find_once(unsigned char *data, size_t len, const unsigned char *what,
                                size_t what_len)
{
    unsigned char *at = memmem(data, len, what, what_len);
    if (at == NULL)
        return NULL;
    const size_t next = (size_t)(at - data) + 1;
    return memmem(data + next, len - next, what, what_len) == NULL ? at : NULL;
}

bool kk_onnx_mend_phase(unsigned char *data, size_t len)
{
    unsigned char question[64], branches[160];
    const size_t name_len = put(question, NAME, NODE "Greater");
    const size_t question_len = name_len + put(question + name_len, OP_TYPE, "Greater");
    const size_t asked_len = put(branches, INPUT, NODE "Greater_output_0");
    size_t branches_len = asked_len + put(branches + asked_len, INPUT, NODE "Add_1_output_0");
    branches_len += put(branches + branches_len, INPUT, NODE "Sub_output_0");
    unsigned char *asks = find_once(data, len, question, question_len);
    unsigned char *takes = find_once(data, len, branches, branches_len);
    if (asks == NULL || takes == NULL)
        return false;
    const size_t op_len = put(asks + name_len, OP_TYPE, "Less");
    (void)put(asks + name_len + op_len, DOC_STRING, "-");
    const size_t sub_len = put(takes + asked_len, INPUT, NODE "Sub_output_0");
    (void)put(takes + asked_len + sub_len, INPUT, NODE "Add_1_output_0");
    return true;
}
