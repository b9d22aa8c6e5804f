/* effect -- the fixed words of replicated commands, made once: a string of the server's for each,
 * so that replicating the effect of a SEND allocates little. */
#ifndef EFFECT_H
#define EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module_api.h"

enum effect_word {
    EFFECT_AS,
    EFFECT_BY_NAME,
    EFFECT_EPOCH,
    EFFECT_MAY,
    EFFECT_NOPUBLISH,
    EFFECT_PXAT,
    EFFECT_REMEMBER,
    EFFECT_TWO,
    EFFECT_WORDS
};

/* At load. */
void effect_init(void);

/* Borrowed, valid for ever. */
struct rm_string *effect_word(enum effect_word word);

/* Words at the end of an effect, for rm_Replicate as "v". Borrowed. */
struct effect_words {
    struct rm_string **words;
    size_t count;
};

#define EFFECT_TAIL_MAX 6

/* MAY 2 EPOCH epoch: four words; the last one, *ret_own, is to be freed. Returns their number. */
size_t effect_put_epoch(struct rm_string **out, uint32_t epoch, struct rm_string **ret_own);

#endif
