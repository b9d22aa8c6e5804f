/* options -- the table of what can be set, and what is printed about it: --help, docs/options.md.
 *
 * Where values come from and what they must look like: config_read.c. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_type {
    OPTION_TEXT,
    OPTION_LIST,  /* may be given several times; an empty value empties it */
    OPTION_ITEMS, /* a list with commas between its items */
    OPTION_NUMBER,
    OPTION_BYTES, /* number with K, M or G behind it */
    OPTION_TIME,  /* number with ms, s, m or h behind it; none: seconds */
    OPTION_CHOICE,
    OPTION_FLAG,
};

struct option {
    const char *name;
    enum option_type type;
    bool live;       /* it may change while the process runs: on SIGHUP */
    size_t at;       /* in struct config */
    const char *def; /* NULL: unset */
    uint64_t min, max;
    const char *const *choices; /* NULL-terminated; the value is the index */
    /* Why a value is none (static text), NULL: it is one. NULL: any text will do. */
    const char *(*check)(const char *value);
    const char *alias; /* a second name in the environment, from systems that this replaces */
    const char *metavar;
    const char *help;
};

#define OPTION_COUNT 120 /* the compiler compares it with the table */
#define OPTION_ENVIRONMENT_NAME_MAX 64

extern const struct option options[OPTION_COUNT];

/* NULL: there is none of that name. */
const struct option *option_find(const char *name, size_t len);
#define OPTION_ENVIRONMENT_PREFIX "NOTIFY_"
/* --outbox-bytes is NOTIFY_OUTBOX_BYTES. */
void option_environment_name(const struct option *o, char out[OPTION_ENVIRONMENT_NAME_MAX]);

void options_print_help(FILE *out);
void options_print_markdown(FILE *out);

#endif
