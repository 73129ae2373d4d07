#include "base/known_files.h"

#include "base/alloc.h"

#include <pthread.h>

enum { N_FILES = 8 };

typedef struct known_file {
    kk_file_id id; /* an inode of 0: free */
    uint64_t hash;
} known_file;

struct kokoro_known_files {
    pthread_mutex_t mutex;
    known_file files[N_FILES];
    size_t next; /* the oldest */
};

kokoro_known_files *kokoro_known_files_new(void)
{
    kokoro_known_files *known = kk_calloc(1, sizeof(*known));
    if (known != NULL && pthread_mutex_init(&known->mutex, NULL) != 0) {
        kk_free(known);
        known = NULL;
    }
    return known;
}

void kokoro_known_files_free(kokoro_known_files **known_ptr)
{
    kokoro_known_files *known = known_ptr != NULL ? *known_ptr : NULL;
    if (known == NULL)
        return;
    (void)pthread_mutex_destroy(&known->mutex);
    kk_free(known);
    *known_ptr = NULL;
}

bool kk_known_files_has(kokoro_known_files *known, const kk_map *map, uint64_t hash)
{
    bool has = false;
    if (known == NULL || map->id.inode == 0)
        return false;
    (void)pthread_mutex_lock(&known->mutex);
    for (size_t i = 0; i < N_FILES; i++)
        has = has ||
              (known->files[i].hash == hash && kk_file_id_equal(&known->files[i].id, &map->id));
    (void)pthread_mutex_unlock(&known->mutex);
    return has;
}

void kk_known_files_add(kokoro_known_files *known, const kk_map *map, uint64_t hash)
{
    if (known == NULL || map->id.inode == 0 || !kk_file_id_is_settled(&map->id) ||
        kk_known_files_has(known, map, hash))
        return;
    (void)pthread_mutex_lock(&known->mutex);
    known->files[known->next] = (known_file){map->id, hash};
    known->next = (known->next + 1) % N_FILES;
    (void)pthread_mutex_unlock(&known->mutex);
}
