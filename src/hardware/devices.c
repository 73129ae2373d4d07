/*
 * devices.c - see devices.h. Source: the kernel's
 * Documentation/ABI/testing/sysfs-devices-system-cpu (cache/index*), and its device nodes:
 * dri/renderD* (GPUs), nvidia*, kfd (AMD), accel/accel* (NPUs).
 */
#include "hardware/devices.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512, MAX_CACHES = 16 };

static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is_read = fgets(line, size, file) != NULL;
    (void)fclose(file);
    if (is_read)
        line[strcspn(line, "\n")] = '\0';
    return is_read;
}

static bool read_cache_file(const char *root, int index, const char *name, char *line, int size)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/cpu0/cache/index%d/%s", root,
                   index, name);
    return read_line(path, line, size);
}

/* "48K", "2048K", "36M" */
static uint64_t parse_size(const char *text)
{
    char *end = NULL;
    unsigned long long n = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    return n < 1ULL << 30 ? (uint64_t)n << shift : 0;
}

void kk_read_caches(const char *root, kk_hardware *out)
{
    char level[32], type[32], size[32];
    out->l1d_bytes = out->l2_bytes = out->l3_bytes = 0;
    for (int i = 0; i < MAX_CACHES; i++) {
        if (!read_cache_file(root, i, "level", level, sizeof(level)) ||
            !read_cache_file(root, i, "type", type, sizeof(type)) ||
            !read_cache_file(root, i, "size", size, sizeof(size)))
            continue;
        if (strcmp(type, "Instruction") == 0)
            continue;
        if (strcmp(level, "1") == 0)
            out->l1d_bytes = parse_size(size);
        else if (strcmp(level, "2") == 0)
            out->l2_bytes = parse_size(size);
        else if (strcmp(level, "3") == 0)
            out->l3_bytes = parse_size(size);
    }
}

static bool has_word(const char *list, const char *word)
{
    const size_t len = strlen(word);
    while (*list != '\0') {
        list += strspn(list, " \t");
        size_t n = strcspn(list, " \t\n");
        if (n == len && memcmp(list, word, n) == 0)
            return true;
        list += n + (list[n] == '\n');
    }
    return false;
}

/* Append a word to a list that spaces separate; one that does not fit is left out. */
static void add_word(char *list, size_t size, const char *word)
{
    size_t len = strlen(list);
    if (len + strlen(word) + 2 <= size)
        (void)snprintf(list + len, size - len, "%s%s", len > 0 ? " " : "", word);
}

void kk_read_instruction_sets(const char *root, kk_hardware *out)
{
    static const char *const known[] = {
        "ssse3",       "sse4_1",   "sse4_2",   "avx",      "f16c",     "fma",         "avx2",
        "avx_vnni",    "avx512f",  "avx512dq", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
        "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd",    "asimdhp",     "asimddp",
        "bf16",        "i8mm",     "sve",      "sve2"};
    char path[PATH_SIZE], line[8192];
    out->instruction_sets[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s/proc/cpuinfo", root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon == NULL || (strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0))
            continue;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (has_word(colon + 1, known[i]))
                add_word(out->instruction_sets, sizeof(out->instruction_sets), known[i]);
        }
        break; /* all CPUs of a machine have the same, as far as this is of use */
    }
    if (file != NULL)
        (void)fclose(file);
}

void kk_read_accelerators(const char *root, kk_hardware *out)
{
    static const struct {
        const char *dir, *prefix;
    } nodes[] = {
        {"/dev/dri", "renderD"}, {"/dev", "nvidia"}, {"/dev", "kfd"}, {"/dev/accel", "accel"}};
    out->accelerators[0] = '\0';
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        char path[PATH_SIZE], node[PATH_SIZE];
        const size_t len = strlen(nodes[i].prefix);
        (void)snprintf(path, sizeof(path), "%s%s", root, nodes[i].dir);
        DIR *dir = opendir(path);
        const struct dirent *entry = NULL;
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            const char *number = entry->d_name + len;
            if (strncmp(entry->d_name, nodes[i].prefix, len) != 0 ||
                number[strspn(number, "0123456789")] != '\0')
                continue; /* nvidiactl, nvidia-uvm: no devices of their own */
            (void)snprintf(node, sizeof(node), "%s/%.200s", nodes[i].dir, entry->d_name);
            add_word(out->accelerators, sizeof(out->accelerators), node);
        }
        if (dir != NULL)
            (void)closedir(dir);
    }
}
