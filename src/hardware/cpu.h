/* cpu.h - instruction sets that the CPU has and the operating system saves. */
#ifndef KK_HARDWARE_CPU_H
#define KK_HARDWARE_CPU_H

/* "avx512bf16", "avx512", "avx2", "neon" or "ref", from cpuid and xgetbv. */
const char *kk_cpu_instruction_set(void);

#endif
