/* cgroup.h - the limits of the control group this process runs in (containers, systemd units). */
#ifndef KK_HARDWARE_CGROUP_H
#define KK_HARDWARE_CGROUP_H

#include <stdint.h>

/*
 * The smallest limit from this process's group up to the root, version 2 or 1 of the interface.
 * `root` is the directory that stands for / (tests), "" for the real one. 0 where there is no
 * limit.
 */
double kk_cgroup_cpu_quota(const char *root);
uint64_t kk_cgroup_memory_limit(const char *root);

#endif
