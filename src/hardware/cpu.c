/*
 * cpu.c - cpuid says what the CPU has, xgetbv what registers the system saves; both are needed.
 * Source: Intel SDM volume 1, 13.3 and 14.3.
 */
#include "hardware/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    STATE_YMM = 0x6,
    STATE_ZMM = 0xE6
}; /* bits of XCR0: SSE and AVX; and opmask, both halves of ZMM */

static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has(uint32_t word, unsigned bit)
{
    return (word >> bit & 1u) != 0;
}

const char *kk_cpu_instruction_set(void)
{
    uint32_t a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27) /* OSXSAVE */ || !has(c, 12) /* FMA */)
        return "ref";
    uint64_t state = read_xcr0();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (state & STATE_YMM) != STATE_YMM ||
        !has(b, 5) /* AVX2 */)
        return "ref";
    bool has_avx512 = (state & STATE_ZMM) == STATE_ZMM && has(b, 16) /* F */ &&
                      has(b, 17) /* DQ */ && has(b, 30) /* BW */ && has(b, 31) /* VL */;
    if (!has_avx512)
        return "avx2";
    bool has_bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 5);
    return has_bf16 ? "avx512bf16" : "avx512";
}
#elif defined(__aarch64__)
const char *kk_cpu_instruction_set(void)
{
    return "neon"; /* part of every 64-bit ARM */
}
#else
const char *kk_cpu_instruction_set(void)
{
    return "ref";
}
#endif
