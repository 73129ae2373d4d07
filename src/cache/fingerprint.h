/*
 * fingerprint.h - what a measurement hangs on: another machine, system, model, library, instruction
 * set or setting, and the measurement says nothing any more.
 */
#ifndef KK_CACHE_FINGERPRINT_H
#define KK_CACHE_FINGERPRINT_H

#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stdint.h>

/* X(field, name shown to people) */
#define KK_FINGERPRINT_MAP(X)                                                                      \
    X(hardware, "hardware")               /* CPU, cores, memory, limits of the control group */    \
    X(system, "operating system")         /* name and release */                                   \
    X(model, "model")                     /* hash of the file */                                   \
    X(libraries, "library versions")      /* this program and every provider's runtime */          \
    X(instruction_set, "instruction set") /* that native uses */                                   \
    X(settings, "settings")               /* those that change speed or sound */

enum { KK_FINGERPRINT_SIZE = 160 };

/* Each field is text that can be shown; what would not fit ends in its hash. */
typedef struct kk_fingerprint {
#define KK_X(field, name) char field[KK_FINGERPRINT_SIZE];
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
} kk_fingerprint;

/*
 * Of this machine and these options. Costs a millisecond or two: the model and the runtimes'
 * libraries are told by blocks spread over their files (cache/blocks.h), and none is loaded.
 * NOT_FOUND (no model), INVALID (unknown instruction set), IO, BAD_DATA, NO_MEMORY.
 */
int kk_fingerprint_make(kk_fingerprint *out, const kokoro_options *options, kokoro_error *err);

/*
 * The same for one who asks again and again: files are read again only where they or the options
 * are others than the last time, which their identities tell (kk_file_id), and the machine is
 * looked at once. On failure the fingerprint is empty. All zero at first.
 */
typedef struct kk_fingerprint_kept {
    kk_fingerprint fingerprint;
    uint64_t mark;          /* of options and files; 0: to be taken anew */
    kk_fingerprint machine; /* with has_machine: hardware and system */
    bool has_machine;
} kk_fingerprint_kept;
int kk_fingerprint_keep(kk_fingerprint_kept *kept, const kokoro_options *options,
                        kokoro_error *err);

/*
 * The name of the first field that differs, or NULL when none does. What was measured with all
 * settings free (precision and threads "auto") knows every way, and so holds for any settings; what
 * was measured under a restriction holds for the same one only.
 */
const char *kk_fingerprint_difference(const kk_fingerprint *measured, const kk_fingerprint *now);

#endif
