#define _GNU_SOURCE /* memmem, MAP_ANONYMOUS */
#include "model/onnx/onnx_outputs.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LEN = sizeof(KK_ONNX_DURATIONS) - 1, ADDED_LEN = NAME_LEN + 6 };

/* graph { output { name: "..." } } in wire form; every length is below 128 and so one byte. */
static void write_output(unsigned char dst[ADDED_LEN])
{
    static const unsigned char head[6] = {
        7 << 3 | 2,  NAME_LEN + 4, /* ModelProto.graph */
        12 << 3 | 2, NAME_LEN + 2, /* GraphProto.output */
        1 << 3 | 2,  NAME_LEN,     /* ValueInfoProto.name */
    };
    memcpy(dst, head, sizeof(head));
    memcpy(dst + sizeof(head), KK_ONNX_DURATIONS, NAME_LEN);
}

/*
 * The file's pages, private, over a reservation that is larger: what is added comes to lie right
 * behind the file, in its last page or in the empty page after it.
 */
static int map_with_room(kk_onnx_bytes *bytes, int fd, size_t len, const char *path,
                         kokoro_error *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t total = (len + ADDED_LEN + page - 1) / page * page;
    void *data = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return kk_fail_memory(err);
    *bytes = (kk_onnx_bytes){.data = data, .len = len, .mapped_len = total};
    if (mmap(data, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
        return kk_fail(err, KOKORO_IO, "cannot map model %s: %s", path, strerror(errno));
    return KOKORO_OK;
}

int kk_onnx_bytes_open(kk_onnx_bytes *bytes, const char *path, kokoro_error *err)
{
    memset(bytes, 0, sizeof(*bytes));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return kk_fail(err, errno == ENOENT ? KOKORO_NOT_FOUND : KOKORO_IO,
                       "cannot open model %s: %s", path, strerror(errno));
    struct stat st;
    int status = KOKORO_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = kk_fail(err, KOKORO_IO, "cannot read model %s: it is not a regular file", path);
    else if (st.st_size == 0)
        status = kk_fail(err, KOKORO_BAD_MODEL, "model %s is empty", path);
    else
        status = map_with_room(bytes, fd, (size_t)st.st_size, path, err);
    (void)close(fd);
    if (status != KOKORO_OK) {
        kk_onnx_bytes_close(bytes);
        return status;
    }
    if (memmem(bytes->data, bytes->len, KK_ONNX_DURATIONS, NAME_LEN) != NULL) {
        write_output(bytes->data + bytes->len);
        bytes->len += ADDED_LEN;
        bytes->has_durations = true;
    }
    return KOKORO_OK;
}

void kk_onnx_bytes_close(kk_onnx_bytes *bytes)
{
    if (bytes->data != NULL)
        (void)munmap(bytes->data, bytes->mapped_len);
    memset(bytes, 0, sizeof(*bytes));
}

void kk_onnx_list_measures(bool has_durations, bool takes_whole_speed, kokoro_measure_fn *fn,
                           void *user)
{
    const kokoro_measure measures[] = {
        {"durations_output", "ONNX export", has_durations,
         "the export keeps its durations inside: an output for them is added behind the file in "
         "memory",
         has_durations ? ""
                       : "the graph has no tensor " KK_ONNX_DURATIONS ", so it gives no durations"},
        {"input_names", "ONNX export", true,
         "exports name and order their inputs differently (tokens or input_ids): each is found by "
         "name and checked by type",
         ""},
        {"whole_speed", "ONNX export", takes_whole_speed,
         takes_whole_speed ? "this export takes whole numbers as speed: others are refused"
                           : "this export takes any speed",
         ""},
    };
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        fn(user, &measures[i]);
}
