/* effect -- the fixed words of replicated commands, made once: a string of the server's for each,
 * so that replicating the effect of a SEND allocates little. */
#ifndef EFFECT_H
#define EFFECT_H

#include <stdint.h>

#include "server/module_api.h"

enum effect_word {
    EFFECT_ID,
    EFFECT_MAXLEN,
    EFFECT_NOPUBLISH,
    EFFECT_PXAT,
    EFFECT_REMEMBER,
    EFFECT_WORDS
};

/* At load. */
void effect_init(void);

/* Borrowed, valid for ever. */
struct rm_string *effect_word(enum effect_word word);

/* value as text. Borrowed until the next call. */
struct rm_string *effect_number(uint64_t value);

#endif
