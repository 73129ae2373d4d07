/*
 * espeak-helper.c - the program kokoro-espeak: espeak-ng behind a line protocol on standard input
 * and output.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * This file alone is under the GNU General Public License, version 3 or later, because it links
 * espeak-ng, which is. The rest of the project talks to the program that it makes and is not part
 * of it.
 *
 *     > voice TAB text LF        < IPA LF        an empty line where there is nothing to say
 *
 * espeak_TextToPhonemes reads one clause a call and drops its punctuation, so it is called until
 * the text is used up.
 */
#include <espeak-ng/speak_lib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_MAX_LEN = 65536,
    /* bit 1: IPA; bit 7: the character in bits 8 to 23 ties the letters of one phoneme */
    PHONEME_MODE = 0x02 | 0x80 | ('^' << 8)
};

static void answer(const char *voice, const char *text)
{
    static char current[64];
    if (strcmp(voice, current) != 0) {
        /* Some languages are no voice's name (en-gb is the language of the voice "English (Great
         * Britain)"). */
        espeak_VOICE wanted = {.languages = voice};
        if (espeak_SetVoiceByName(voice) != EE_OK &&
            espeak_SetVoiceByProperties(&wanted) != EE_OK) {
            (void)puts("");
            return;
        }
        (void)snprintf(current, sizeof(current), "%.60s", voice);
    }
    const void *rest = text;
    const char *space = "";
    while (rest != NULL) {
        const char *phonemes = espeak_TextToPhonemes(&rest, espeakCHARS_UTF8, PHONEME_MODE);
        if (phonemes == NULL || phonemes[0] == '\0')
            continue;
        (void)fputs(space, stdout);
        for (const char *at = phonemes; *at != '\0'; at++)
            (void)putchar(*at == '\n' ? ' ' : *at);
        space = " ";
    }
    (void)puts("");
}

int main(void)
{
    static char line[LINE_MAX_LEN];
    if (espeak_Initialize(AUDIO_OUTPUT_RETRIEVAL, 0, NULL,
                          espeakINITIALIZE_DONT_EXIT | espeakINITIALIZE_PHONEME_IPA) <= 0) {
        (void)fputs("kokoro-espeak: cannot initialise espeak-ng; is its data installed?\n", stderr);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *end = strchr(line, '\n'), *tab = strchr(line, '\t');
        if (end == NULL || tab == NULL) {
            (void)fputs("kokoro-espeak: a question is: voice TAB text LF\n", stderr);
            return 1;
        }
        *end = *tab = '\0';
        answer(line, tab + 1);
        if (fflush(stdout) != 0)
            return 1;
    }
    (void)espeak_Terminate();
    return 0;
}
