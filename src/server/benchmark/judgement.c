/* judgement.c - see judgement.h. The attempt's file holds the fingerprint's mark; its time is its
 * date. */
#include "server/benchmark/judgement.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_SIZE = 24 };

kk_bench_verdict kk_bench_judge(const kk_bench_facts *facts)
{
    const double tried_s = facts->tried_at_s, now_s = facts->now_s;
    const double again_s = tried_s > 0.0 ? tried_s + kk_validity_s(&facts->rule) : 0.0;
    const bool is_valid = facts->record->state == KK_RECORD_VALID;
    const double next_s = fmax(again_s, is_valid ? facts->record->expires_at_s : 0.0);
    if (facts->is_skipped || facts->rule.frequency == KK_MANUALLY || !isfinite(next_s))
        return (kk_bench_verdict){.is_due = false};
    return (kk_bench_verdict){.is_due = now_s >= next_s, .next_at_s = fmax(next_s, now_s)};
}

static char *attempt_path(const char *cache_dir)
{
    return kk_path_join(cache_dir, KK_RECORD_ATTEMPT);
}

/* One line that tells fingerprints apart. */
static void make_mark(char mark[MARK_SIZE], const kk_fingerprint *fingerprint)
{
    uint64_t hash = 0;
#define KK_X(field, name)                                                                          \
    hash = hash * 31 + kk_hash(fingerprint->field, strlen(fingerprint->field));
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    (void)snprintf(mark, MARK_SIZE, "%016llx\n", (unsigned long long)hash);
}

static bool redate(const char *path, double now_s)
{
    const struct timespec now = {.tv_sec = (time_t)now_s}, both[2] = {now, now};
    return utimensat(AT_FDCWD, path, both, 0) == 0;
}

double kk_attempt_read(const char *cache_dir, const kk_fingerprint *fingerprint, double now_s)
{
    static const double slack_s = 60.0; /* by which clocks are set right all the time */
    struct stat st;
    char mark[MARK_SIZE];
    double tried_s = 0.0;
    kk_buf text = KK_BUF_INIT;
    char *path = attempt_path(cache_dir);
    make_mark(mark, fingerprint);
    if (path == NULL || stat(path, &st) != 0 ||
        kk_file_read(&text, path, sizeof(mark), NULL) != KOKORO_OK ||
        strcmp(kk_buf_str(&text), mark) != 0)
        goto done;
    tried_s = fmin((double)st.st_mtim.tv_sec, now_s);
    if ((double)st.st_mtim.tv_sec > now_s + slack_s && !redate(path, now_s))
        tried_s = 0.0;
done:
    kk_buf_fini(&text);
    kk_free(path);
    return tried_s;
}

bool kk_attempt_note(const char *cache_dir, const kk_fingerprint *fingerprint)
{
    kk_writer writer;
    bool is_written = false;
    char *path = attempt_path(cache_dir), mark[MARK_SIZE];
    make_mark(mark, fingerprint);
    char *slash = path != NULL ? strrchr(path, '/') : NULL;
    if (slash != NULL) {
        *slash = '\0';
        (void)kk_make_dirs(path, NULL);
        *slash = '/';
        if (kk_writer_open(&writer, path, NULL) == KOKORO_OK) {
            kk_writer_write(&writer, mark, strlen(mark));
            is_written = kk_writer_commit(&writer, NULL) == KOKORO_OK;
        }
    }
    kk_free(path);
    return is_written;
}

void kk_attempt_forget(const char *cache_dir)
{
    char *path = attempt_path(cache_dir);
    if (path != NULL)
        (void)unlink(path);
    kk_free(path);
}
