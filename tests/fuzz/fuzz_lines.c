/* Any bytes as the lines of a streamed request, in pieces whose length the first byte tells. */
#include "fuzz.h"

#include "server/speech/text_lines.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kk_text_lines lines = {.in = KK_BUF_INIT};
    kk_buf text = KK_BUF_INIT;
    int status = KOKORO_OK;
    if (size == 0)
        return 0;
    const size_t step = data[0] % 64 + 1;
    for (size_t i = 1; i < size && status == KOKORO_OK; i += step) {
        const size_t len = size - i < step ? size - i : step;
        kk_slice line;
        kokoro_error err = {0};
        if (!kk_text_lines_add(&lines, (const char *)data + i, len))
            abort();
        if (i + step >= size)
            kk_text_lines_end(&lines);
        while (status == KOKORO_OK && kk_text_lines_next(&lines, &line, &status, &err))
            status = kk_text_lines_read(&lines, line, &text, &err);
        if (status != KOKORO_OK && (status != err.status || err.message[0] == '\0'))
            abort();
    }
    if (status == KOKORO_OK && size > 1 && !lines.is_done)
        abort();
    kk_buf_fini(&text);
    kk_text_lines_fini(&lines);
    return 0;
}
