/* dotenv_write.h - changes one name in a .env file and nothing else of it. */
#ifndef KK_CONFIG_DOTENV_WRITE_H
#define KK_CONFIG_DOTENV_WRITE_H

#include "kokoro/kokoro.h"

#include <stddef.h>

/* What is larger is no .env: it is neither read nor written. */
enum { KK_DOTENV_LIMIT = 1 << 20 };

/*
 * After this the file assigns `value` to `name` exactly once: where its last assignment stood, with
 * what stood before and behind it (export, a comment), else on a line of its own at the end. Every
 * other line stays byte for byte; the file ends with a newline, one as its last line with one has;
 * mode and, where the system allows it, owner stay. A symbolic link is followed and stays one. The
 * file is replaced as a whole, so that a kill or a full disk leaves the old one. An absent file is
 * made.
 *
 * INVALID (a name or a value that no line can hold), IO (not a regular file, not readable, not
 * writable), TOO_LONG, NO_MEMORY.
 */
int kk_dotenv_set(const char *path, const char *name, const char *value, kokoro_error *err);

#endif
