#define _GNU_SOURCE /* sched_getaffinity */
#include "hardware/hardware.h"

#include "hardware/cgroup.h"
#include "hardware/cpu.h"
#include "hardware/devices.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { CPUS_MAX = CPU_SETSIZE };

static long read_number(const char *path)
{
    long value = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%ld", &value) != 1)
        value = -1;
    (void)fclose(file);
    return value;
}

/* Which core a CPU belongs to, one number for package and core; -1 where the system does not say.
 */
static long core_of(int cpu)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/core_id", cpu);
    long core = read_number(path);
    (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/physical_package_id",
                   cpu);
    long package = read_number(path);
    return core < 0 ? -1 : (package < 0 ? 0 : package) << 16 | core;
}

static void count_cpus(kk_hardware *out)
{
    cpu_set_t set;
    static const int unknown = -1;
    long seen[CPUS_MAX];
    int n_seen = 0;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        out->n_logical = out->n_physical = n > 0 ? (int)n : 1;
        return;
    }
    for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &set))
            continue;
        out->n_logical++;
        long core = core_of(cpu);
        int k = 0;
        while (k < n_seen && (core == unknown || seen[k] != core))
            k++;
        if (k == n_seen)
            seen[n_seen++] = core;
    }
    out->n_physical = n_seen > 0 ? n_seen : 1;
}

static void read_cpu_model(char *dst, size_t size)
{
    (void)snprintf(dst, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(dst, size, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (file != NULL)
        (void)fclose(file);
}

void kk_hardware_read(kk_hardware *out)
{
    memset(out, 0, sizeof(*out));
    struct utsname name;
    if (uname(&name) == 0) {
        (void)snprintf(out->platform, sizeof(out->platform), "%.30s %.30s", name.sysname,
                       name.machine);
        (void)snprintf(out->release, sizeof(out->release), "%.120s", name.release);
    }
    read_cpu_model(out->cpu_model, sizeof(out->cpu_model));
    count_cpus(out);
    out->cpu_quota = kk_cgroup_cpu_quota("");
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    out->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    out->memory_limit_bytes = kk_cgroup_memory_limit("");
    out->instruction_set = kk_cpu_instruction_set();
    kk_read_caches("", out);
    kk_read_instruction_sets("", out);
    kk_read_accelerators("", out);
}

int kk_hardware_threads(const kk_hardware *hardware)
{
    int n = hardware->n_physical;
    /* A quota of 1.5 CPUs is worth two threads: the second one finds work half of the time. */
    if (hardware->cpu_quota > 0.0 && hardware->cpu_quota < (double)n)
        n = (int)(hardware->cpu_quota + 0.999);
    return n > 0 ? n : 1;
}
