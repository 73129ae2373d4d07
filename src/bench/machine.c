/* machine.c - see machine.h. */
#define _DEFAULT_SOURCE /* getloadavg */
#include "bench/machine.h"

#include "base/clock.h"
#include "base/file.h"
#include "hardware/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILE_LIMIT = 1 << 20 };

static const double BUSY_CORES = 0.5;

double kk_load_average(void)
{
    double load = -1.0;
    return getloadavg(&load, 1) == 1 ? load : -1.0;
}

static double memory_line_mb(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? (double)strtoull(at + strlen(name), NULL, 10) / 1024.0 : 0.0;
}

double kk_available_mb(void)
{
    kk_buf text = KK_BUF_INIT;
    double available = 0.0;
    if (kk_file_read(&text, "/proc/meminfo", FILE_LIMIT, NULL) == KOKORO_OK)
        available = memory_line_mb(kk_buf_str(&text), "MemAvailable:");
    kk_buf_fini(&text);
    const double limit = (double)kk_cgroup_memory_limit("") / (1024.0 * 1024.0);
    return limit > 0.0 && (available <= 0.0 || limit < available) ? limit : available;
}

/* "cpu  user nice system idle iowait irq softirq steal ...", in ticks. */
static double busy_seconds(void)
{
    kk_buf text = KK_BUF_INIT;
    double busy = -1.0;
    if (kk_file_read(&text, "/proc/stat", FILE_LIMIT, NULL) == KOKORO_OK &&
        strncmp(kk_buf_str(&text), "cpu ", 4) == 0) {
        char *at = text.data + 4;
        unsigned long long ticks = 0;
        for (int field = 0; field < 7; field++) {
            const unsigned long long value = strtoull(at, &at, 10);
            ticks += field == 3 || field == 4 ? 0 : value;
        }
        busy = (double)ticks / (double)sysconf(_SC_CLK_TCK);
    }
    kk_buf_fini(&text);
    return busy;
}

static double used_seconds(int who)
{
    struct rusage usage;
    if (getrusage(who, &usage) != 0)
        return 0.0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void kk_machine_time_read(kk_machine_time *out)
{
    *out = (kk_machine_time){.wall_s = kk_now_s(),
                             .busy_s = busy_seconds(),
                             .own_s = used_seconds(RUSAGE_SELF) + used_seconds(RUSAGE_CHILDREN)};
}

double kk_machine_others(const kk_machine_time *begin, const kk_machine_time *end)
{
    const double wall = end->wall_s - begin->wall_s;
    if (begin->busy_s < 0.0 || end->busy_s < 0.0 || wall <= 0.0)
        return -1.0;
    const double others = end->busy_s - begin->busy_s - (end->own_s - begin->own_s);
    return others > 0.0 ? others / wall : 0.0;
}

void kk_machine_busy_text(double others, double load_before, int n_cores, char *text, size_t size)
{
    text[0] = '\0';
    if (others > BUSY_CORES)
        (void)snprintf(text, size,
                       "other programs kept %.1f of %d processors busy on average while this was "
                       "measured (load average before: %.1f)",
                       others, n_cores, load_before);
    else if (others < 0.0 && load_before > BUSY_CORES)
        (void)snprintf(text, size, "the load average before this was measured was %.1f",
                       load_before);
}
