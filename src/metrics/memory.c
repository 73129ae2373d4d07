/* memory.c - resident memory of this process, as Linux counts it. */
#include "metrics/metrics.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, size - 1);
    (void)close(fd);
    if (len <= 0)
        return false;
    text[len] = '\0';
    return true;
}

uint64_t kk_resident_bytes(void)
{
    char text[128];
    if (!read_text("/proc/self/statm", text, sizeof(text)))
        return 0;
    char *rest = NULL;
    (void)strtoull(text, &rest, 10); /* the address space; resident pages follow */
    unsigned long long pages = strtoull(rest, NULL, 10);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* getrusage would also count what this process was before it became this program. */
uint64_t kk_peak_resident_bytes(void)
{
    char text[4096];
    if (!read_text("/proc/self/status", text, sizeof(text)))
        return 0;
    const char *line = strstr(text, "\nVmHWM:");
    return line != NULL ? (uint64_t)strtoull(line + sizeof("\nVmHWM:") - 1, NULL, 10) * 1024 : 0;
}
