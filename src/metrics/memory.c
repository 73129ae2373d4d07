/* memory.c - resident memory of this process, as Linux counts it. */
#include "metrics/metrics.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

uint64_t kk_resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    char *rest = NULL;
    (void)strtoull(text, &rest, 10); /* the address space; resident pages follow */
    unsigned long long pages = strtoull(rest, NULL, 10);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
