/* effect -- the fixed words of replicated commands, made once: a string of the server's for each,
 * so that replicating the effect of a SEND allocates little. */
#ifndef EFFECT_H
#define EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module_api.h"

enum effect_word { EFFECT_AS, EFFECT_NOPUBLISH, EFFECT_PXAT, EFFECT_REMEMBER, EFFECT_WORDS };

/* At load. */
void effect_init(void);

/* Borrowed, valid for ever. */
struct rm_string *effect_word(enum effect_word word);

/* Words at the end of an effect; valid for ever. */
struct effect_words {
    struct rm_string **words;
    size_t count;
};

/* NOPUBLISH, or nothing: whether those who execute the effect are to publish. silent: the command
 * said so. For rm_Replicate as "v". */
struct effect_words effect_silence(bool silent);

#endif
