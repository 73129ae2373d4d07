/* Any bytes as the file of a benchmark's record: refused with a sentence, or taken, and then it can
 * be written and is the same when it is read again. */
#include "fuzz.h"

#include "cache/record_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kk_record record, again;
    kk_buf text = KK_BUF_INIT;
    kokoro_error error = {KOKORO_OK, ""};
    const int status = kk_record_read_json(&record, (kk_slice){(const char *)data, size}, &error);
    if (status != KOKORO_OK) {
        if (status != KOKORO_BAD_DATA || error.message[0] == '\0' || record.n_results != 0)
            abort();
        return 0;
    }
    if (record.n_results < 1 || record.recommended.n_threads < 1 ||
        kk_record_write_json(&text, &record, &error) != KOKORO_OK ||
        kk_record_read_json(&again, (kk_slice){text.data, text.len}, &error) != KOKORO_OK ||
        !kk_way_equal(&again.recommended, &record.recommended) ||
        again.n_results != record.n_results || strcmp(again.reason, record.reason) != 0 ||
        kk_fingerprint_difference(&again.fingerprint, &record.fingerprint) != NULL)
        abort();
    kk_buf_fini(&text);
    return 0;
}
