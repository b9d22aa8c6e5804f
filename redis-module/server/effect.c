/* effect -- see effect.h. */
#include "server/effect.h"

#include <string.h>

#include "base/versions.h"
#include "notify_id.h"

static struct rm_string *words[EFFECT_WORDS];

void effect_init(void)
{
    static const char *const texts[EFFECT_WORDS] = {
        [EFFECT_AS] = "AS",       [EFFECT_BY_NAME] = "BYNAME",
        [EFFECT_EPOCH] = "EPOCH", [EFFECT_MAY] = VERSIONS_MAY,
        [EFFECT_TWO] = "2",       [EFFECT_NOPUBLISH] = "NOPUBLISH",
        [EFFECT_PXAT] = "PXAT",   [EFFECT_REMEMBER] = "REMEMBER",
    };

    for (int i = 0; i < EFFECT_WORDS; i++)
        words[i] = rm_CreateString(NULL, texts[i], strlen(texts[i]));
}

struct rm_string *effect_word(enum effect_word word)
{
    return words[word];
}

size_t effect_put_epoch(struct rm_string **out, uint32_t epoch, struct rm_string **ret_own)
{
    char text[16];
    char *end = text + sizeof text;
    char *start = notify_id_put_number(end, epoch);

    *ret_own = rm_CreateString(NULL, start, (size_t)(end - start));
    out[0] = words[EFFECT_MAY];
    out[1] = words[EFFECT_TWO];
    out[2] = words[EFFECT_EPOCH];
    out[3] = *ret_own;
    return 4;
}
