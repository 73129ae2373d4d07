/* Any bytes as a voices file or a lexicon: opened, or refused; what was opened is read through. */
#include "fuzz.h"

#include "base/file.h"
#include "phoneme/lexicon.h"
#include "voice/voice.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/kokoro-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || kk_write_all(fd, data, size) != 0)
        abort();
    (void)close(fd);
    kk_voices *voices = NULL;
    kk_lexicon *lexicon = NULL;
    if (kk_voices_open(&voices, path, NULL) == KOKORO_OK) {
        kk_blend blend;
        (void)kk_blend_parse(voices, "af_a+af_b", &blend, NULL);
        kk_voices_close(&voices);
    }
    if (kk_lexicon_open(&lexicon, path, NULL, NULL) == KOKORO_OK) {
        kk_reading reading;
        if (kk_lexicon_gold(lexicon, KK_LANG_EN_US, KK_SLICE("hello"), &reading))
            (void)kk_reading_find(&reading, "NOUN");
        kk_lexicon_close(&lexicon);
    }
    (void)unlink(path);
    return 0;
}
