/* test_bench_advice.c - which frequency is advised to machines that are made up of files. */
#include "bench/advice.h"
#include "check.h"
#include "machine.h"

#include <stdlib.h>
#include <unistd.h>

static char root[] = "/tmp/kokoro-advice-XXXXXX";
static char why[160];

static void put(const char *path, const char *text)
{
    machine_put(root, path, text);
}

/* An empty machine. */
static void begin(void)
{
    (void)unsetenv("container");
    memcpy(root, "/tmp/kokoro-advice-XXXXXX", sizeof(root));
    CHECK(mkdtemp(root) != NULL);
}

static void end(void)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
    CHECK_INT(system(command), 0);
}

static void check(enum kk_frequency want, const char *words)
{
    CHECK_INT(kk_frequency_advise(false, root, why, sizeof(why)), want);
    CHECK_HAS(why, words);
}

TEST(a_machine_on_mains_power)
{
    begin();
    check(KK_WEEKLY, "mains power");
    put("/sys/class/power_supply/AC/type", "Mains\n");
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    check(KK_WEEKLY, "mains power");
    end();
}

TEST(a_battery_of_the_machine_itself)
{
    begin();
    put("/sys/class/power_supply/AC/type", "Mains\n");
    put("/sys/class/power_supply/hid-00-battery/type", "Battery\n");
    put("/sys/class/power_supply/hid-00-battery/scope", "Device\n");
    check(KK_WEEKLY, "mains power"); /* of a mouse */
    put("/sys/class/power_supply/BAT1/type", "Battery\n");
    put("/sys/class/power_supply/BAT1/present", "0\n");
    check(KK_WEEKLY, "mains power"); /* an empty bay */
    put("/sys/class/power_supply/BAT0/type", "Battery\n");
    put("/sys/class/power_supply/BAT0/scope", "System\n");
    put("/sys/class/power_supply/BAT0/present", "1\n");
    check(KK_MONTHLY, "battery");
    CHECK_INT(kk_frequency_advise(true, root, why, sizeof(why)), KK_DAILY);
    CHECK_HAS(why, "development");
    end();
}

TEST(containers)
{
    begin();
    put("/.dockerenv", "");
    check(KK_MONTHLY, "container");
    end();
    begin();
    put("/run/.containerenv", "");
    check(KK_MONTHLY, "container");
    end();
    begin();
    (void)setenv("container", "systemd-nspawn", 1);
    check(KK_MONTHLY, "container");
    end();
}

TEST(limits_of_a_control_group)
{
    begin();
    put("/proc/self/cgroup", "0::/a.slice/b.service\n");
    put("/sys/fs/cgroup/a.slice/b.service/cpu.max", "150000 100000\n");
    check(KK_MONTHLY, "limited service");
    end();
    begin();
    put("/proc/self/cgroup", "0::/a.slice/b.service\n");
    put("/sys/fs/cgroup/a.slice/memory.max", "536870912\n");
    check(KK_MONTHLY, "limited service");
    put("/sys/class/power_supply/BAT0/type", "Battery\n"); /* the nearer reason */
    check(KK_MONTHLY, "battery");
    end();
}

TEST_MAIN(T(a_machine_on_mains_power), T(a_battery_of_the_machine_itself), T(containers),
          T(limits_of_a_control_group))
