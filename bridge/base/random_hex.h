/* random_hex -- names that nobody can guess, and that nobody else has. */
#ifndef RANDOM_HEX_H
#define RANDOM_HEX_H

#include <stddef.h>

#define RANDOM_HEX_BYTES_MAX 16

/* Writes so many bytes of the system's random source as two digits each, and a NUL behind them. */
void random_hex(char *out, size_t bytes);

#endif
