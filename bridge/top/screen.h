/* screen -- readings as lines of text for people: pure. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct readings;

struct screen {
    const char *where;             /* whose numbers these are, as it was asked for */
    const struct readings *before; /* NULL: rates are not known yet */
    const struct readings *now;    /* NULL: there are none yet */
    const char *failure;           /* why there are none just now (static text); or NULL */
};

/* Writes lines, each ended by LF; what they say of others is printable. */
void screen_print(FILE *out, const struct screen *screen);
/* The same for a terminal of that size: cut to it, each line cleared to its end. */
void screen_print_sized(FILE *out, const struct screen *screen, size_t rows, size_t columns);

#endif
