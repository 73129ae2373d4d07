/*
 * test_pack.c - the packed weights: made, kept and used again; damage that no checksum shows; every
 * failed allocation; and that their order changes only together with the number of the layout.
 */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/known_files.h"
#include "model/native/pack.h"

#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { HEADER = 64, AT_LEN = 24, AT_HASH = 32 };

static char model_path[512], dir[] = "/tmp/kokoro-pack-XXXXXX";
static kokoro_known_files *known_files; /* NULL but in the test of them */

#define NEED_MODEL() NEED(model_path, "model/kokoro-v1.0.int8.onnx")

static const kk_kernels *table(void)
{
    return kk_kernels_choose(getenv("KOKORO_CPU_MASK"));
}

static int open_packed(kk_packed *packed, const kk_kernels *kernels, const char *cache_dir,
                       kokoro_error *err)
{
    const kk_model_options options = {.model_path = model_path,
                                      .cache_dir = cache_dir,
                                      .n_threads = 1,
                                      .known_files = known_files};
    return kk_packed_open(packed, &options, kernels, err);
}

/* Names of the files in the cache; the last one in `path`. */
static size_t list_cache(char *path, size_t size)
{
    char folder[64];
    (void)snprintf(folder, sizeof(folder), "%s/native", dir);
    size_t n = 0;
    DIR *files = opendir(folder);
    const struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, size, "%s/%.200s", folder, entry->d_name);
        n++;
    }
    if (files != NULL)
        (void)closedir(files);
    return n;
}

static void clear_cache(void)
{
    char path[512];
    while (list_cache(path, sizeof(path)) > 0)
        CHECK_INT(unlink(path), 0);
}

TEST(set_up)
{
    NEED_MODEL();
    CHECK(mkdtemp(dir) != NULL);
}

TEST(the_block_is_made_kept_and_used_again)
{
    NEED_MODEL();
    kk_packed first, again, alone;
    kokoro_error err = {0, ""};
    char path[512];
    CHECK_INT(open_packed(&first, table(), dir, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    CHECK(first.pack_ms > 0 && first.has_pairs);
    CHECK(first.map.data != NULL && first.memory == NULL); /* shared from the first moment */
    CHECK_INT(list_cache(path, sizeof(path)), 1);
    CHECK_INT(open_packed(&again, table(), dir, &err), KOKORO_OK);
    CHECK_NEAR(again.pack_ms, 0, 0);
    CHECK(again.map.len == first.map.len &&
          memcmp(again.map.data, first.map.data, first.map.len) == 0);
    /* What is not kept holds the same, under no name. */
    static const char *const nowhere[] = {NULL, ""};
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(open_packed(&alone, table(), nowhere[i], &err), KOKORO_OK);
        CHECK(alone.memory != NULL && alone.map.data == NULL);
        const kk_conv *ours = &alone.weights.albert.ffn, *kept = &first.weights.albert.ffn;
        CHECK_INT(ours->C_out, 2048);
        CHECK(memcmp(ours->weights, kept->weights, 2048 * 768 * sizeof(uint16_t)) == 0);
        CHECK(memcmp(ours->scale, kept->scale, 2048 * sizeof(float)) == 0);
        kk_packed_close(&alone);
        CHECK(alone.memory == NULL);
    }
    kk_packed_close(&first);
    kk_packed_close(&again);
    kk_packed_close(&again);
}

static void write_at(const char *path, size_t at, const void *data, size_t len)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file != NULL && fseek(file, (long)at, SEEK_SET) == 0 &&
          fwrite(data, 1, len, file) == len);
    if (file != NULL)
        CHECK_INT(fclose(file), 0);
}

/* Makes the checksum right again. */
static void seal(const char *path)
{
    kk_map map;
    CHECK_INT(kk_map_open(&map, path, "packed model", NULL), KOKORO_OK);
    const uint64_t hash = kk_hash(map.data + HEADER, map.len - HEADER);
    kk_map_close(&map);
    write_at(path, AT_HASH, &hash, sizeof(hash));
}

/* A table of parts that leads elsewhere, under a right checksum: nothing is read through it. */
TEST(a_false_table_is_not_believed)
{
    NEED_MODEL();
    char path[512] = "";
    kk_packed packed;
    CHECK_INT(open_packed(&packed, table(), dir, NULL), KOKORO_OK);
    CHECK_INT(list_cache(path, sizeof(path)), 1);
    const uint64_t len = packed.map.len;
    kk_packed_close(&packed);
    seal(path);
    CHECK_INT(open_packed(&packed, table(), dir, NULL), KOKORO_OK);
    CHECK_NEAR(packed.pack_ms, 0, 0);
    kk_packed_close(&packed);
    const struct {
        size_t at, size;
        uint64_t value;
    } changes[] = {
        {HEADER, 4, 2},                         /* of neither kind */
        {HEADER + 8, 8, len},                   /* behind the end */
        {HEADER + 8, 8, UINT64_MAX},            /* far behind it */
        {HEADER + 8, 8, 0},                     /* in the header */
        {HEADER + 24, 8, 1},                    /* at no boundary */
        {HEADER + 16 * kk_n_weights - 8, 8, 64} /* the last part before the others */
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        write_at(path, changes[i].at, &changes[i].value, changes[i].size);
        seal(path);
        CHECK_INT(open_packed(&packed, table(), dir, NULL), KOKORO_OK);
        CHECK(packed.pack_ms > 0);
        kk_packed_close(&packed);
    }
}

/* A file that was found whole is not summed again; one that has changed since then is. */
TEST(damage_of_a_known_file_is_seen)
{
    NEED_MODEL();
    char path[512] = "";
    kk_packed packed;
    const struct timespec settle = {.tv_nsec = 250000000};
    (void)nanosleep(&settle, NULL);
    known_files = kokoro_known_files_new();
    CHECK(known_files != NULL);
    uint64_t hash = 0;
    size_t len = 0;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(open_packed(&packed, table(), dir, NULL), KOKORO_OK);
        CHECK_NEAR(packed.pack_ms, 0, 0);
        memcpy(&hash, packed.map.data + AT_HASH, sizeof(hash));
        len = packed.map.len;
        CHECK(kk_known_files_has(known_files, &packed.map, hash));
        kk_packed_close(&packed);
    }
    CHECK_INT(list_cache(path, sizeof(path)), 1);
    write_at(path, len / 2, "damaged", 7);
    CHECK_INT(open_packed(&packed, table(), dir, NULL), KOKORO_OK);
    CHECK(packed.pack_ms > 0);
    kk_packed_close(&packed);
    kokoro_known_files_free(&known_files);
}

/* What is there transformed too lies in pages of its own, and is read again when it is wanted. */
TEST(spare_weights_lie_behind_the_others)
{
    NEED_MODEL();
    kk_packed packed;
    CHECK_INT(open_packed(&packed, table(), dir, NULL), KOKORO_OK);
    const kk_generator_weights *g = &packed.weights.generator;
    const unsigned char *spare = packed.map.data + packed.spare_at;
    const unsigned char *direct = (const unsigned char *)g->block[0].conv1[0].weights;
    if (g->block[0].toom1[0].weights == NULL) {
        CHECK_INT(packed.spare_at, 0);
    } else {
        CHECK(packed.spare_at % (2u << 20) == 0 && packed.spare_at < packed.map.len);
        CHECK(direct >= spare && (const unsigned char *)g->block[0].toom1[0].weights < spare);
        CHECK((const unsigned char *)packed.weights.albert.ffn.weights < spare);
        const uint64_t before = kk_hash(direct, 4096);
        kk_packed_drop_spare(&packed);
        CHECK(kk_hash(direct, 4096) == before);
    }
    kk_packed_close(&packed);
}

TEST(every_failed_allocation_is_survived)
{
    NEED_MODEL();
    kk_packed packed;
    kokoro_error err;
    size_t n_failed = 0, k = 0, n = 1;
    for (; k < n; k++) {
        clear_cache();
        kk_alloc_fail_at(k, 0); /* 0: none, which counts them */
        int status = open_packed(&packed, kk_kernels_choose("ref"), dir, &err);
        n = k == 0 ? kk_alloc_count() + 2 : n;
        kk_alloc_fail_at(0, 0);
        n_failed += status != KOKORO_OK;
        if (status == KOKORO_OK)
            kk_packed_close(&packed);
        else
            CHECK_INT(status, KOKORO_NO_MEMORY);
    }
    CHECK(n > 5 && n_failed > 3 && n_failed < n);
    CHECK_INT(open_packed(&packed, kk_kernels_choose("ref"), dir, &err), KOKORO_OK);
    kk_packed_close(&packed);
}

/*
 * A program that takes an old file for its own speaks noise or nothing. So the published model's
 * packed weights are known here, and when they change, LAYOUT in packed_file.c must be raised: then
 * put the new numbers here.
 */
static const struct {
    const char *name;
    uint64_t hash;
} known[] = {
    {"ref", 0xeeebe6470acad07d},
    {"avx2", 0xccc48c863839180b},
    {"avx512", 0xe194478d40403b33},
    {"avx512bf16", 0xcdc8332b618cdb79},
};

TEST(the_order_of_weights_is_that_of_the_layout)
{
    NEED_MODEL();
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        for (size_t t = 0; kk_kernels_all[t] != NULL; t++) {
            if (strcmp(kk_kernels_all[t]->name, known[i].name) != 0)
                continue;
            kk_packed packed;
            uint64_t hash;
            CHECK_INT(open_packed(&packed, kk_kernels_all[t], NULL, NULL), KOKORO_OK);
            const unsigned char *block = packed.memory + (64 - (uintptr_t)packed.memory % 64) % 64;
            memcpy(&hash, block + AT_HASH, sizeof(hash));
            kk_packed_close(&packed);
            if (hash != known[i].hash)
                printf("weights for %s have the checksum 0x%016llx\n", known[i].name,
                       (unsigned long long)hash);
            CHECK(hash == known[i].hash);
        }
    }
}

TEST(tear_down)
{
    NEED_MODEL();
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(set_up), T(the_block_is_made_kept_and_used_again), T(a_false_table_is_not_believed),
          T(damage_of_a_known_file_is_seen), T(spare_weights_lie_behind_the_others),
          T(every_failed_allocation_is_survived), T(the_order_of_weights_is_that_of_the_layout),
          T(tear_down))
