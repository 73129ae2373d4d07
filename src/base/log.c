#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void kk_log_write(const kk_log *log, int level, const char *format, ...)
{
    if (log == NULL || log->fn == NULL)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    log->fn(log->user, level, line);
}
