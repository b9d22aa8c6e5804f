/* effect -- see effect.h. */
#include "server/effect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct rm_string *words[EFFECT_WORDS];

/* The last number: it is the same limit nearly always. */
static struct rm_string *number_text;
static uint64_t number;

void effect_init(void)
{
    static const char *const texts[EFFECT_WORDS] = {
        [EFFECT_ID] = "ID",     [EFFECT_MAXLEN] = "MAXLEN",     [EFFECT_NOPUBLISH] = "NOPUBLISH",
        [EFFECT_PXAT] = "PXAT", [EFFECT_REMEMBER] = "REMEMBER",
    };

    for (int i = 0; i < EFFECT_WORDS; i++)
        words[i] = rm_CreateString(NULL, texts[i], strlen(texts[i]));
}

struct rm_string *effect_word(enum effect_word word)
{
    return words[word];
}

struct rm_string *effect_number(uint64_t value)
{
    char text[24];

    if (number_text != NULL && number == value)
        return number_text;
    if (number_text != NULL)
        rm_FreeString(NULL, number_text);
    number_text =
        rm_CreateString(NULL, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
    number = value;
    return number_text;
}
