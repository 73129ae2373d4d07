/*
 * fuzz_replay.c - main() for a fuzz target without libFuzzer: fuzz_<target> FILE... runs each file,
 * and some thousand mutations of each with a fixed seed.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_MAX_INPUT = 1 << 20, N_MUTATIONS = 2000 };

static uint32_t state = 2463534242u;

static uint32_t next(void) /* xorshift32 (Marsaglia 2003) */
{
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

/* Flip, insert, remove or repeat a few bytes, as libFuzzer's simplest mutators do. */
static size_t mutate(uint8_t *data, size_t size, size_t capacity)
{
    for (uint32_t n = 1 + next() % 4; n > 0; n--) {
        size_t at = size > 0 ? next() % size : 0, len = 1 + next() % 8;
        switch (next() % 4) {
        case 0:
            if (size > 0)
                data[at] = (uint8_t)next();
            break;
        case 1:
            if (size + len <= capacity) {
                memmove(data + at + len, data + at, size - at);
                for (size_t i = 0; i < len; i++)
                    data[at + i] = (uint8_t)next();
                size += len;
            }
            break;
        case 2:
            if (size - at >= len) {
                memmove(data + at, data + at + len, size - at - len);
                size -= len;
            }
            break;
        default:
            if (size > len && size + len <= capacity) {
                size_t from = next() % (size - len);
                memmove(data + size, data + from, len);
                size += len;
            }
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    uint8_t *original = malloc(SIZE_MAX_INPUT), *data = malloc(SIZE_MAX_INPUT);
    if (original == NULL || data == NULL || argc < 2)
        return 1;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            printf("cannot open %s\n", argv[i]);
            return 1;
        }
        size_t size = fread(original, 1, SIZE_MAX_INPUT / 2, file);
        (void)fclose(file);
        (void)LLVMFuzzerTestOneInput(original, size);
        for (int k = 0; k < N_MUTATIONS; k++) {
            memcpy(data, original, size);
            (void)LLVMFuzzerTestOneInput(data, mutate(data, size, SIZE_MAX_INPUT));
        }
    }
    printf("%d inputs, %d mutations each\n", argc - 1, N_MUTATIONS);
    free(original);
    free(data);
    return 0;
}
