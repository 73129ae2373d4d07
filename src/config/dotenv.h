/*
 * dotenv.h - reads the lines of a .env file:
 *
 *     # comment
 *     export NAME=value            # comment after white space
 *     NAME='kept as it is'
 *     NAME="with \" \\ \n \r \t \$ escapes"
 *
 * A value ends with its line. Nothing is expanded. Line ends may be LF or CR LF.
 */
#ifndef KK_CONFIG_DOTENV_H
#define KK_CONFIG_DOTENV_H

#include "base/str.h"

typedef struct kk_dotenv_line {
    kk_slice name;
    char *value;         /* valid during the call, ended by NUL; "" where `problem` is set */
    const char *problem; /* why the value cannot be read, "its quote is not closed"; NULL: none */
    unsigned number;     /* of the line, from 1 */
} kk_dotenv_line;

/* Return 0 to go on. */
typedef int kk_dotenv_fn(void *user, const kk_dotenv_line *line);

/* Calls fn for each line NAME=..., and passes over all others. `text` is changed. Returns what fn
 * returned last. text[len] must be there to write to: the end of a kk_buf. */
int kk_dotenv_read(char *text, size_t len, kk_dotenv_fn *fn, void *user);

#endif
