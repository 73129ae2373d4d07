/*
 * pack.c - set-up: the published <voice>.bin files of a directory into one mapped file.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "voice/voices_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct name_list {
    char (*names)[KK_VOICE_NAME_SIZE]; /* NUL-padded */
    size_t n;
} name_list;

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The voices of a directory, sorted: every regular name that ends in .bin. */
static int list_names(const char *dir_path, name_list *list, kokoro_error *err)
{
    DIR *dir = opendir(dir_path);
    if (dir == NULL)
        return kk_fail(err, errno == ENOENT ? KOKORO_NOT_FOUND : KOKORO_IO,
                       "cannot open the voices directory %s: %s", dir_path, strerror(errno));
    int status = KOKORO_OK;
    const struct dirent *entry;
    list->names = kk_calloc(KK_VOICES_MAX, sizeof(*list->names));
    if (list->names == NULL)
        status = kk_fail_memory(err);
    while (status == KOKORO_OK && (entry = readdir(dir)) != NULL) {
        kk_slice name = kk_slice_of(entry->d_name);
        if (!kk_slice_ends(name, KK_SLICE(".bin")) || name.len == 4 || name.data[0] == '.')
            continue;
        size_t len = name.len - 4;
        if (len >= KK_VOICE_NAME_SIZE || list->n == KK_VOICES_MAX) {
            status = kk_fail(err, KOKORO_BAD_DATA, "%s/%s: name too long, or over %d voices",
                             dir_path, entry->d_name, KK_VOICES_MAX);
            break;
        }
        memcpy(list->names[list->n++], name.data, len);
    }
    (void)closedir(dir);
    if (status == KOKORO_OK && list->n == 0)
        status = kk_fail(err, KOKORO_NOT_FOUND, "no voice (*.bin) in %s", dir_path);
    if (status == KOKORO_OK)
        qsort(list->names, list->n, sizeof(*list->names), compare_names);
    return status;
}

static int write_table(kk_writer *writer, const char *dir, const char *name, kokoro_error *err)
{
    kk_buf path = KK_BUF_INIT;
    kk_buf_appendf(&path, "%s/%s.bin", dir, name);
    if (path.failed) {
        kk_buf_fini(&path);
        return kk_fail_memory(err);
    }
    kk_map map;
    int status = kk_map_open(&map, path.data, "voice", err);
    if (status == KOKORO_OK && map.len != KK_VOICE_TABLE_LEN)
        status = kk_fail(err, KOKORO_BAD_DATA,
                         "voice %s has %zu bytes, not %d (510 rows of 256 float32)", path.data,
                         map.len, KK_VOICE_TABLE_LEN);
    if (status == KOKORO_OK)
        kk_writer_write(writer, map.data, map.len);
    kk_map_close(&map);
    kk_buf_fini(&path);
    return status;
}

int kokoro_pack_voices(const char *dst_path, const char *src_dir, kokoro_error *err)
{
    static const unsigned char zeros[KK_VOICES_ALIGN];
    name_list list = {NULL, 0};
    kk_writer writer = {.fd = -1};
    int status = list_names(src_dir, &list, err);
    if (status != KOKORO_OK)
        goto done;
    status = kk_writer_open(&writer, dst_path, err);
    if (status != KOKORO_OK)
        goto done;
    kk_voices_head head = {.layout = KK_VOICES_LAYOUT, .n_voices = (uint32_t)list.n};
    memcpy(head.magic, KK_VOICES_MAGIC, sizeof(head.magic));
    head.names_hash = kk_hash(list.names, list.n * sizeof(*list.names));
    kk_writer_write(&writer, &head, sizeof(head));
    kk_writer_write(&writer, list.names, list.n * sizeof(*list.names));
    kk_writer_write(&writer, zeros, kk_voices_styles_offset(list.n) - (size_t)writer.written);
    for (size_t i = 0; i < list.n && status == KOKORO_OK; i++)
        status = write_table(&writer, src_dir, list.names[i], err);
    if (status == KOKORO_OK)
        status = kk_writer_commit(&writer, err);
done:
    kk_writer_abort(&writer);
    kk_free(list.names);
    return status;
}
