/* Limits of control groups, read from made-up trees; and what can be said of any machine. */
#include "check.h"
#include "machine.h"

#include "hardware/cgroup.h"
#include "hardware/devices.h"
#include "hardware/hardware.h"

#include <stdlib.h>
#include <unistd.h>

static char root[] = "/tmp/kokoro-cgroup-XXXXXX";

static void put(const char *path, const char *text)
{
    machine_put(root, path, text);
}

static void clear(void)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'/*", root);
    CHECK_INT(system(command), 0);
}

TEST(version_2_takes_the_smallest_limit_on_the_way_up)
{
    put("/proc/self/cgroup", "0::/a.slice/b.service\n");
    put("/sys/fs/cgroup/a.slice/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a.slice/b.service/memory.max", "536870912\n");
    put("/sys/fs/cgroup/a.slice/memory.max", "max\n");
    CHECK_NEAR(kk_cgroup_cpu_quota(root), 1.5, 1e-9);
    CHECK_INT(kk_cgroup_memory_limit(root), 536870912);
    clear();
}

TEST(version_1_has_a_tree_a_controller)
{
    put("/proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\n");
    put("/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK_NEAR(kk_cgroup_cpu_quota(root), 0.5, 1e-9);
    CHECK_INT(kk_cgroup_memory_limit(root), 0);
    clear();
}

TEST(a_container_sees_its_own_files_at_the_mount)
{
    put("/proc/self/cgroup", "0::/kubepods/pod1/c1\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    CHECK_NEAR(kk_cgroup_cpu_quota(root), 2.0, 1e-9);
    clear();
}

TEST(no_files_mean_no_limit)
{
    CHECK_NEAR(kk_cgroup_cpu_quota(root), 0.0, 0);
    CHECK_INT(kk_cgroup_memory_limit(root), 0);
    put("/proc/self/cgroup", "garbage\n::\n0::/x\n");
    put("/sys/fs/cgroup/x/cpu.max", "nonsense\n");
    CHECK_NEAR(kk_cgroup_cpu_quota(root), 0.0, 0);
    clear();
}

TEST(caches_of_the_first_cpu)
{
    kk_hardware hardware = {.l1d_bytes = 1, .l2_bytes = 1, .l3_bytes = 1};
    kk_read_caches(root, &hardware);
    CHECK_INT(hardware.l1d_bytes + hardware.l2_bytes + hardware.l3_bytes, 0);
#define CACHE(index, level, type, size)                                                            \
    put("/sys/devices/system/cpu/cpu0/cache/index" index "/level", level "\n");                    \
    put("/sys/devices/system/cpu/cpu0/cache/index" index "/type", type "\n");                      \
    put("/sys/devices/system/cpu/cpu0/cache/index" index "/size", size "\n")
    CACHE("0", "1", "Data", "48K");
    CACHE("1", "1", "Instruction", "32K");
    CACHE("2", "2", "Unified", "2048K");
    CACHE("3", "3", "Unified", "36M");
    kk_read_caches(root, &hardware);
    CHECK_INT(hardware.l1d_bytes, 48 * 1024);
    CHECK_INT(hardware.l2_bytes, 2048 * 1024);
    CHECK_INT(hardware.l3_bytes, 36 * 1024 * 1024);
    CACHE("3", "3", "Unified", "nonsense");
    kk_read_caches(root, &hardware);
    CHECK_INT(hardware.l3_bytes, 0);
    clear();
}

TEST(instruction_sets_that_matter)
{
    kk_hardware hardware;
    kk_read_instruction_sets(root, &hardware);
    CHECK_STR(hardware.instruction_sets, "");
    put("/proc/cpuinfo",
        "processor\t: 0\nflags\t\t: fpu avx2x avx avx512_bf16 sse4_2\nbugs\t: avx2\n"
        "flags\t: fma\n");
    kk_read_instruction_sets(root, &hardware);
    CHECK_STR(hardware.instruction_sets, "sse4_2 avx avx512_bf16");
    put("/proc/cpuinfo", "Features\t: fp asimd i8mm");
    kk_read_instruction_sets(root, &hardware);
    CHECK_STR(hardware.instruction_sets, "asimd i8mm");
    clear();
}

TEST(accelerators_are_device_nodes)
{
    kk_hardware hardware;
    kk_read_accelerators(root, &hardware);
    CHECK_STR(hardware.accelerators, "");
    put("/dev/dri/renderD128", "");
    put("/dev/dri/card0", "");
    put("/dev/nvidia0", "");
    put("/dev/nvidiactl", "");
    put("/dev/accel/accel0", "");
    kk_read_accelerators(root, &hardware);
    CHECK_STR(hardware.accelerators, "/dev/dri/renderD128 /dev/nvidia0 /dev/accel/accel0");
    clear();
}

TEST(a_quota_bounds_the_threads)
{
    kk_hardware hardware = {.n_physical = 8};
    CHECK_INT(kk_hardware_threads(&hardware), 8);
    hardware.cpu_quota = 1.5;
    CHECK_INT(kk_hardware_threads(&hardware), 2);
    hardware.cpu_quota = 0.2;
    CHECK_INT(kk_hardware_threads(&hardware), 1);
    hardware.cpu_quota = 64;
    CHECK_INT(kk_hardware_threads(&hardware), 8);
}

TEST(this_machine_makes_sense)
{
    kk_hardware hardware;
    kk_hardware_read(&hardware);
    CHECK(hardware.n_physical >= 1 && hardware.n_physical <= hardware.n_logical);
    CHECK(hardware.memory_bytes > 64u << 20);
    CHECK_HAS(hardware.platform, "Linux");
    CHECK(hardware.instruction_set[0] != '\0');
    CHECK_INT(rmdir(root), 0);
}

TEST(set_up)
{
    CHECK(mkdtemp(root) != NULL);
}

TEST_MAIN(T(set_up), T(version_2_takes_the_smallest_limit_on_the_way_up),
          T(version_1_has_a_tree_a_controller), T(a_container_sees_its_own_files_at_the_mount),
          T(no_files_mean_no_limit), T(caches_of_the_first_cpu), T(instruction_sets_that_matter),
          T(accelerators_are_device_nodes), T(a_quota_bounds_the_threads),
          T(this_machine_makes_sense))
