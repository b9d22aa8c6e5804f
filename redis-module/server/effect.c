/* effect -- see effect.h. */
#include "server/effect.h"

#include <string.h>

#include "server/publish.h"

static struct rm_string *words[EFFECT_WORDS];

void effect_init(void)
{
    static const char *const texts[EFFECT_WORDS] = {
        [EFFECT_AS] = "AS",
        [EFFECT_NOPUBLISH] = "NOPUBLISH",
        [EFFECT_PXAT] = "PXAT",
        [EFFECT_REMEMBER] = "REMEMBER",
    };

    for (int i = 0; i < EFFECT_WORDS; i++)
        words[i] = rm_CreateString(NULL, texts[i], strlen(texts[i]));
}

struct rm_string *effect_word(enum effect_word word)
{
    return words[word];
}

struct effect_words effect_silence(bool silent)
{
    return (struct effect_words){&words[EFFECT_NOPUBLISH], silent || !publish_by_effect()};
}
