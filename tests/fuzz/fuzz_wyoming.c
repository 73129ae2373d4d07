/* Any bytes as a connection of the Wyoming protocol, in pieces whose length the first byte tells:
 * events, or words about what is wrong; never more than was sent. */
#include "fuzz.h"

#include "server/wyoming/wyoming_event.h"
#include "server/wyoming/wyoming_frame.h"

#include <stdlib.h>

static void look(const kk_wyoming_event *event)
{
    kk_wyoming_wish wish;
    kk_slice text;
    kk_api_error error = {0};
    if (event->type == NULL || !json_is_object(event->data))
        abort();
    int status = kk_wyoming_take_wish(event->data, &wish, &error);
    if (status != 0 && (status != 400 || error.message[0] == '\0'))
        abort();
    status = kk_wyoming_take_text(event->data, &text, &error);
    if (status == 0 ? text.data == NULL : status != 400)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kk_wyoming_reader reader = {.in = KK_BUF_INIT};
    kk_wyoming_event event;
    enum kk_wyoming_verdict verdict = KK_WYOMING_MORE;
    if (size == 0)
        return 0;
    const size_t step = data[0] % 64 + 1;
    size_t n_events = 0;
    for (size_t i = 1; i < size && verdict != KK_WYOMING_BROKEN; i += step) {
        kokoro_error err = {0};
        if (!kk_wyoming_reader_add(&reader, data + i, size - i < step ? size - i : step))
            abort();
        while ((verdict = kk_wyoming_reader_next(&reader, &event, &err)) != KK_WYOMING_MORE) {
            if (verdict == KK_WYOMING_EVENT)
                look(&event);
            else if (err.message[0] == '\0')
                abort();
            kk_wyoming_event_fini(&event);
            if (verdict == KK_WYOMING_BROKEN)
                break;
            if (++n_events > size)
                abort();
        }
    }
    kk_wyoming_reader_fini(&reader);
    return 0;
}
