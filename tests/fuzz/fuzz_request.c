/* Any bytes as the body of a speech request: taken, or refused with a message and a 4xx status. */
#include "fuzz.h"

#include "server/speech/speech_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const kk_speech_limits limits = {.max_chars = 100, .default_voice = "af_heart"};
    kk_speech_request request;
    kk_api_error error = {0};
    int status =
        kk_speech_request_parse(&request, (kk_slice){(const char *)data, size}, &limits, &error);
    if (status == 0 ? request.codec == NULL || request.speak.text == NULL
                    : status < 400 || status > 499 || error.message[0] == '\0')
        abort();
    kk_speech_request_fini(&request);
    return 0;
}
