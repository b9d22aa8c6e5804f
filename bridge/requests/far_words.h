/* far_words -- a command about an inbox and logs, taken apart: for far_logs, which makes several of
 * it. Its words are in the order that the requests here give them: what must be there, options. */
#ifndef FAR_WORDS_H
#define FAR_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

struct words;

struct far_words {
    struct notify_str name, inbox;
    const struct notify_str *args; /* between the inbox and the options: ids, the ends of a range */
    size_t args_len;
    const struct notify_str *filters; /* options that choose entries, with their values */
    size_t filters_len;
    const struct notify_str *logs; /* their names */
    size_t logs_len;
    bool many;  /* LOGS, with what the inbox has itself; not LOG */
    bool total; /* TOTAL */
    bool json;  /* JSON */
    /* The values of options; empty: not given. */
    struct notify_str count, upto, before, by;
};

/* fixed: of args that must be there, however they look. at: room for argc words, which *ret points
 * at; they point into argv. */
void far_words_read(struct far_words *ret, size_t fixed, size_t argc, const struct notify_str *argv,
                    struct notify_str *at);

/* The logs alone: how many there are, and where they begin in argv. */
size_t far_words_logs(size_t fixed, size_t argc, const struct notify_str *argv, size_t *ret_first);

/* Adds the options that choose entries. */
void far_words_add_filters(struct words *words, const struct far_words *of);

#endif
