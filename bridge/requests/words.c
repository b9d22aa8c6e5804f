#include "requests/words.h"

#include <assert.h>

void words_add(struct words *words, struct notify_str word)
{
    assert(words->len < WORDS_MAX);
    words->at[words->len++] = word;
}

void words_add_option(struct words *words, struct notify_str name, struct notify_str value)
{
    if (value.len == 0)
        return;
    words_add(words, name);
    words_add(words, value);
}
