#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *kokoro_status_text(int status)
{
    switch (status) {
#define KOKORO_X(name, value, text)                                                                \
    case (value):                                                                                  \
        return text;
        KOKORO_STATUS_MAP(KOKORO_X)
#undef KOKORO_X
    default:
        return "unknown status";
    }
}

void kk_error_set(kokoro_error *err, int status, const char *format, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    err->status = status;
    (void)vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
}
