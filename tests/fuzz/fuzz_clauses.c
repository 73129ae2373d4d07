/* Any bytes as text that arrives in pieces, whose length the first byte tells: the clauses are the
 * text again. */
#include "fuzz.h"

#include "kokoro/kokoro.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const uint8_t *data;
    size_t size, at;
} reader;

static int compare(void *user, const char *text, size_t text_len, bool is_cut)
{
    reader *r = user;
    (void)is_cut;
    if (text_len == 0 || text_len > r->size - r->at || memcmp(r->data + r->at, text, text_len) != 0)
        abort();
    r->at += text_len;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kokoro_clauses *clauses = NULL;
    if (size == 0 || size > 20000)
        return 0;
    const size_t step = data[0] % 32 + 1;
    reader r = {data + 1, size - 1, 0};
    if (kokoro_clauses_open(&clauses, NULL) != KOKORO_OK)
        abort();
    for (size_t i = 0; i < r.size; i += step) {
        const char *piece = (const char *)r.data + i;
        size_t len = r.size - i < step ? r.size - i : step;
        if (kokoro_clauses_add(clauses, piece, len, compare, &r, NULL) != KOKORO_OK ||
            (data[0] >= 0xE0 &&
             kokoro_clauses_flush(clauses, data[0] % 2, compare, &r, NULL) != KOKORO_OK))
            abort();
    }
    if (kokoro_clauses_flush(clauses, KOKORO_FLUSH_ALL, compare, &r, NULL) != KOKORO_OK ||
        r.at != r.size)
        abort();
    kokoro_clauses_close(&clauses);
    return 0;
}
