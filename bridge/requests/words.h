/* words -- a command while it is put together: the words of it, which are others'. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

#include "notify_str.h"

#define WORDS_MAX 192

/* The words of a command. All borrowed until it has been sent. */
struct words {
    size_t len;
    struct notify_str at[WORDS_MAX];
};

/* More than WORDS_MAX is our own mistake: handlers bound what clients send. */
void words_add(struct words *words, struct notify_str word);
/* name and value, or nothing at all when value is empty. */
void words_add_option(struct words *words, struct notify_str name, struct notify_str value);

#endif
