/* kernels.c - the tables of this build and the choice among them. */
#include "kernels/kernels.h"

#include "hardware/cpu.h"
#include "kernels/tables.h"

#include <string.h>

const kk_kernels *const kk_kernels_all[] = {&kk_kernels_ref,
#if defined(__x86_64__)
                                            &kk_kernels_avx2, &kk_kernels_avx512,
                                            &kk_kernels_avx512bf16,
#elif defined(__aarch64__)
                                            &kk_kernels_neon,
#endif
                                            NULL};

/* Levels in rising order on x86; on arm neon stands for all above ref. */
static int level_of(const char *name)
{
    static const char *const names[] = {"ref", "avx2", "avx512", "avx512bf16"};
    for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return strcmp(name, "neon") == 0 ? 1 : -1;
}

const kk_kernels *kk_kernels_choose(const char *mask)
{
    int limit = level_of(kk_cpu_instruction_set());
    if (mask != NULL && mask[0] != '\0') {
        int level = level_of(mask);
        if (level < 0)
            return NULL;
        limit = level < limit ? level : limit;
    }
    const kk_kernels *best = NULL;
    for (size_t i = 0; kk_kernels_all[i] != NULL; i++) {
        if (level_of(kk_kernels_all[i]->name) <= limit)
            best = kk_kernels_all[i];
    }
    return best;
}

uint16_t kk_bf16_from_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

float kk_float_from_bf16(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
