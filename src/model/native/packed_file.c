/*
 * packed_file.c - the packed weights in the cache: mapped and shared when they are whole, else made
 * from the export and kept.
 */
#include "model/native/pack.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/known_files.h"
#include "base/status.h"
#include "cache/cache_path.h"
#include "model/onnx/onnx.h"

#include <string.h>

enum {
    LAYOUT = 5, /* raise it when the order of packed weights or the table changes */
    HUGE_PAGE = 2 * 1024 * 1024
};

#define MAGIC "KKPACK\0\1"

typedef struct header {
    char magic[8];
    uint64_t panel, n_rows;
    uint64_t len;  /* of the whole file */
    uint64_t hash; /* XXH3-64 of all that follows the header */
    uint64_t name; /* XXH3-64 of the file's name, which holds the export's fingerprint */
    uint64_t reserved[2];
} header;

/* Of packed->memory, which has room to align by hand: aligned_alloc would not pass through the hook
 * of base/alloc.h. */
static unsigned char *block_in_memory(const kk_packed *packed)
{
    return packed->memory + (64 - (uintptr_t)packed->memory % 64) % 64;
}

static size_t data_start(void)
{
    return sizeof(header) + kk_pack_aligned(kk_n_weights * sizeof(kk_pack_part));
}

/* ---- the order of the file --------------------------------------------------------------- */

/* Is the convolution there transformed too? */
static bool is_spare(const kk_pack_part *parts, size_t i)
{
    if (kk_weight_table[i].kind != KK_W_CONV)
        return false;
    for (size_t k = 0; k < kk_n_weights; k++) {
        if (kk_weight_table[k].kind == KK_W_TOOM && parts[k].is_pairs != 0 &&
            strcmp(kk_weight_table[k].name, kk_weight_table[i].name) == 0)
            return true;
    }
    return false;
}

typedef struct place {
    size_t at, len;  /* of the part that place_next has returned; behind the last, the end */
    size_t spare_at; /* 0: none is */
    size_t step;
} place;

/* The rows in the order of the file: those that every sound needs, then the spare ones. Returns
 * kk_n_weights behind the last. */
static size_t place_next(place *p, const kk_pack_part *parts, size_t panel)
{
    p->at = p->step == 0 ? data_start() : p->at + p->len;
    p->len = 0;
    while (p->step < 2 * kk_n_weights) {
        const size_t i = p->step % kk_n_weights;
        const bool wants_spare = p->step++ >= kk_n_weights;
        if (is_spare(parts, i) != wants_spare)
            continue;
        if (wants_spare && p->spare_at == 0)
            p->spare_at = p->at = (p->at + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        p->len = kk_pack_aligned(kk_pack_size(&kk_weight_table[i], panel, (int)parts[i].is_pairs));
        return i;
    }
    return kk_n_weights;
}

/* Points the weights into a block whose parts were checked or made just now. */
static void bind(kk_packed *packed, const unsigned char *block, size_t panel)
{
    const kk_pack_part *parts = (const kk_pack_part *)(const void *)(block + sizeof(header));
    place at = {.step = 0};
    packed->has_pairs = 0;
    for (size_t i; (i = place_next(&at, parts, panel)) < kk_n_weights;) {
        kk_pack_bind(&packed->weights, &kk_weight_table[i], block + parts[i].offset, panel,
                     (int)parts[i].is_pairs);
        packed->has_pairs |= parts[i].is_pairs == 1;
    }
    packed->spare_at = at.spare_at;
}

/* A file that was copied to the name of another export's is not taken for it. */
static uint64_t hash_of_name(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    return slash != NULL ? kk_hash(slash + 1, strlen(slash + 1)) : 0;
}

static int is_whole(const kk_map *map, const char *path, size_t panel, kokoro_known_files *known)
{
    header head;
    if (map->len < data_start())
        return 0;
    memcpy(&head, map->data, sizeof(head));
    if (memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 || head.panel != panel ||
        head.n_rows != kk_n_weights || head.len != map->len || head.name != hash_of_name(path))
        return 0;
    if (!kk_known_files_has(known, map, head.hash) &&
        head.hash != kk_hash(map->data + sizeof(head), map->len - sizeof(head)))
        return 0;
    const kk_pack_part *parts = (const kk_pack_part *)(const void *)(map->data + sizeof(head));
    for (size_t i = 0; i < kk_n_weights; i++) {
        if (parts[i].is_pairs > (kk_weight_table[i].kind == KK_W_TOOM ? 2u : 1u))
            return 0;
    }
    /* Every part where this layout puts it: a block of another cut does not pass. */
    place at = {.step = 0};
    for (size_t i; (i = place_next(&at, parts, panel)) < kk_n_weights;) {
        if (parts[i].offset != at.at)
            return 0;
    }
    if (at.at != map->len)
        return 0;
    kk_known_files_add(known, map, head.hash);
    return 1;
}

/* A new block in packed->memory, of *len bytes. */
static int make_block(kk_packed *packed, size_t *len, const kk_onnx *onnx,
                      const kk_kernels *kernels, const char *path, kokoro_error *err)
{
    kk_pack_part *parts = kk_calloc(kk_n_weights, sizeof(*parts));
    if (parts == NULL)
        return kk_fail_memory(err);
    const size_t panel = kernels->panel;
    place at = {.step = 0};
    int status = KOKORO_OK;
    for (size_t i = 0; i < kk_n_weights && status == KOKORO_OK; i++) {
        int is_pairs = 0;
        status = kk_pack_inspect(onnx, &kk_weight_table[i], &is_pairs, err);
        if (kk_weight_table[i].kind == KK_W_TOOM)
            is_pairs = !is_pairs || kernels->toom == KK_TOOM_NONE ? 0
                       : kernels->toom == KK_TOOM_BF16            ? 1
                                                                  : 2;
        parts[i].is_pairs = (uint32_t)is_pairs;
    }
    unsigned char *block = NULL;
    if (status == KOKORO_OK) {
        for (size_t i; (i = place_next(&at, parts, panel)) < kk_n_weights;)
            parts[i].offset = at.at;
        packed->memory = kk_calloc(1, at.at + 64);
        if (packed->memory == NULL)
            status = kk_fail_memory(err);
    }
    if (status == KOKORO_OK) {
        block = block_in_memory(packed);
        for (size_t i = 0; i < kk_n_weights; i++)
            kk_pack_row(onnx, &kk_weight_table[i], block + parts[i].offset, panel,
                        (int)parts[i].is_pairs);
        memcpy(block + sizeof(header), parts, kk_n_weights * sizeof(*parts));
        header head = {
            .panel = panel, .n_rows = kk_n_weights, .len = at.at, .name = hash_of_name(path)};
        memcpy(head.magic, MAGIC, sizeof(head.magic));
        head.hash = kk_hash(block + sizeof(head), at.at - sizeof(head));
        memcpy(block, &head, sizeof(head));
        bind(packed, block, panel);
        *len = at.at;
    }
    kk_free(parts);
    return status;
}

static int map_kept(kk_packed *packed, const char *path, kokoro_error *err)
{
    int status = kk_map_open(&packed->map, path, "packed model", err);
    kk_map_ask_huge(&packed->map);
    return status;
}

/* A huge page at a time: then newer kernels cache the file in such pages, and it is mapped in a
 * tenth of the time. */
static void write_block(kk_writer *writer, const unsigned char *block, size_t len)
{
    for (size_t at = 0; at < len; at += HUGE_PAGE)
        kk_writer_write(writer, block + at, len - at < HUGE_PAGE ? len - at : HUGE_PAGE);
}

/* Keep the block and use the mapped file from now on, so that its memory is shared. */
static void keep_block(kk_packed *packed, size_t len, const char *path, size_t panel,
                       const kk_log *log)
{
    kokoro_error err;
    kk_writer writer;
    kk_cache_sweep(path);
    int status = kk_writer_open(&writer, path, &err);
    if (status == KOKORO_OK) {
        const unsigned char *block = block_in_memory(packed);
        write_block(&writer, block, len);
        status = kk_writer_commit(&writer, &err);
    }
    if (status == KOKORO_OK)
        status = map_kept(packed, path, &err);
    if (status == KOKORO_OK && packed->map.len == len) {
        bind(packed, packed->map.data, panel);
        kk_free(packed->memory);
        packed->memory = NULL;
    } else if (status != KOKORO_OK) {
        kk_log_write(log, KOKORO_LOG_WARNING, "the packed model is not kept: %s", err.message);
    }
}

static int pack_anew(kk_packed *packed, const kk_model_options *options, const kk_kernels *kernels,
                     const char *path, kokoro_error *err)
{
    const double start_s = kk_now_s();
    kk_onnx *onnx = NULL;
    size_t len = 0;
    int status = kk_onnx_open(&onnx, options->model_path, err);
    if (status == KOKORO_OK)
        status = make_block(packed, &len, onnx, kernels, path, err);
    if (status == KOKORO_OK && path != NULL)
        keep_block(packed, len, path, kernels->panel, options->log);
    kk_onnx_close(&onnx);
    packed->pack_ms = 1e3 * (kk_now_s() - start_s);
    return status;
}

/* The whole file at `path` mapped and bound, else 0; a file that is not whole is told of. */
static int use_kept(kk_packed *packed, const char *path, size_t panel,
                    const kk_model_options *options)
{
    kokoro_error reason;
    if (!kk_file_exists(path))
        return 0;
    if (map_kept(packed, path, &reason) != KOKORO_OK) {
        kk_log_write(options->log, KOKORO_LOG_WARNING, "%s; it is made anew", reason.message);
        return 0;
    }
    if (is_whole(&packed->map, path, panel, options->known_files)) {
        bind(packed, packed->map.data, panel);
        return 1;
    }
    kk_map_close(&packed->map);
    kk_log_write(options->log, KOKORO_LOG_WARNING,
                 "the packed model %s is damaged or of another model; it is made anew", path);
    return 0;
}

static kk_cache_kind kind_of(const kk_kernels *kernels)
{
    return (kk_cache_kind){
        .folder = "native", .ending = "pack", .version = kernels->name, .layout = LAYOUT};
}

void kk_packed_place(kk_arena *arena, const kk_model_options *options, const kk_kernels *kernels,
                     kokoro_cached *out)
{
    const kk_cache_kind kind = kind_of(kernels);
    kk_model_cached(arena, options, &kind, out);
}

int kk_packed_open(kk_packed *packed, const kk_model_options *options, const kk_kernels *kernels,
                   kokoro_error *err)
{
    memset(packed, 0, sizeof(*packed));
    char *path = NULL;
    int status = KOKORO_OK;
    if (options->cache_dir != NULL && options->cache_dir[0] != '\0') {
        const kk_cache_kind kind = kind_of(kernels);
        kokoro_error reason;
        status = kk_cache_path(&path, options->cache_dir, options->model_path, &kind, &reason);
        if (status == KOKORO_NOT_FOUND || status == KOKORO_NO_MEMORY)
            return kk_fail(err, status, "%s", reason.message);
        if (status != KOKORO_OK)
            kk_log_write(options->log, KOKORO_LOG_WARNING, "the packed model is not kept: %s",
                         reason.message);
    }
    if (path != NULL && use_kept(packed, path, kernels->panel, options)) {
        kk_free(path);
        return KOKORO_OK;
    }
    status = pack_anew(packed, options, kernels, path, err);
    kk_free(path);
    if (status != KOKORO_OK)
        kk_packed_close(packed);
    return status;
}

void kk_packed_close(kk_packed *packed)
{
    kk_map_close(&packed->map);
    kk_free(packed->memory);
    packed->memory = NULL;
}

void kk_packed_forget(const kk_packed *packed)
{
    kk_map_forget(&packed->map, 0, packed->map.len);
}

void kk_packed_drop_spare(const kk_packed *packed)
{
    if (packed->spare_at != 0)
        kk_map_forget(&packed->map, packed->spare_at, packed->map.len);
}
