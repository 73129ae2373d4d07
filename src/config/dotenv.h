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

/* Lines that are neither empty, a comment nor NAME=...; and bytes that are no text. */
typedef struct kk_dotenv_strays {
    unsigned n;           /* stray lines */
    unsigned first;       /* number of the first one; 0: there is none */
    unsigned damage_line; /* where the first NUL or what is not UTF-8 stands; 0: nowhere */
} kk_dotenv_strays;

/* Return 0 to go on. */
typedef int kk_dotenv_fn(void *user, const kk_dotenv_line *line);

/*
 * Calls fn for each line NAME=..., and counts all others but empty ones and comments in *strays
 * (NULL: nobody asks). A value that goes over several lines in its quotes is none for us, but other
 * programs have such: its lines are no strays. `text` is changed. Returns what fn returned last.
 * text[len] must be there to write to: the end of a kk_buf.
 */
int kk_dotenv_read(char *text, size_t len, kk_dotenv_fn *fn, void *user, kk_dotenv_strays *strays);

#endif
