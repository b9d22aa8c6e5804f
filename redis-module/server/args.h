/* args -- a cursor over the arguments of one command.
 *
 * Each args_take_* function checks one argument, moves past it and gives its value; on failure it
 * returns false, leaves a whole error reply ("ERR LEVEL must be …") in args.error and the cursor
 * anywhere. Nothing is copied: values are borrowed from the argument strings and live as long as
 * the command runs. Nothing is stored and nothing replied here. */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/box.h"
#include "server/module_api.h"
#include "notify_id.h"
#include "notify_str.h"

#define ARGS_ERROR_MAX 256 /* bytes of an error reply with its NUL */

struct args {
    struct rm_string **argv; /* borrowed */
    int argc;
    int pos; /* of the next argument */
    /* The free text before it, whose quotes may have been forgotten: an unknown option is more
     * likely its second word. NULL: there is none. */
    const char *text_before;
    char error[ARGS_ERROR_MAX];
};

/* A keyword with what follows it. take() is called with the cursor behind the keyword. */
struct arg_option {
    const char *name; /* upper case */
    size_t len;
    bool may_repeat;
    bool is_text;     /* its value, the last thing that it takes, is free text */
    bool is_internal; /* see args_check_internal */
    bool is_part;     /* stands behind MAY alone: a name in a list may be the same word */
    bool (*take)(struct args *args, void *into);
};
#define ARG_OPTION(keyword, take_fn)                                                               \
    {                                                                                              \
        .name = (keyword), .len = sizeof(keyword) - 1, .take = (take_fn)                           \
    }
#define ARG_OPTION_TEXT(keyword, take_fn)                                                          \
    {                                                                                              \
        .name = (keyword), .len = sizeof(keyword) - 1, .is_text = true, .take = (take_fn)          \
    }
#define ARG_OPTION_INTERNAL(keyword, take_fn)                                                      \
    {                                                                                              \
        .name = (keyword), .len = sizeof(keyword) - 1, .is_internal = true, .take = (take_fn)      \
    }
#define ARG_OPTION_PART(keyword, take_fn)                                                          \
    {                                                                                              \
        .name = (keyword), .len = sizeof(keyword) - 1, .is_part = true, .take = (take_fn)          \
    }
#define ARG_OPTION_MANY(keyword, take_fn)                                                          \
    {                                                                                              \
        .name = (keyword), .len = sizeof(keyword) - 1, .may_repeat = true, .take = (take_fn)       \
    }

/* The cursor stands at argv[first]. */
void args_init(struct args *args, struct rm_string **argv, int argc, int first);
/* Sets the error reply; false, so that a caller can return it. */
bool args_fail(struct args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As args_fail, "ERR <name> must be <wanted>, not '<value>'": a value that is not short plain text
 * is left out, as an error reply is one line. */
bool args_fail_value(struct args *args, const char *name, const char *wanted,
                     struct notify_str value);

bool args_done(const struct args *args);
struct notify_str args_at(const struct args *args, int pos);
/* Is the next argument this keyword (upper case here, any case there)? Moves past it if so. */
bool args_take_keyword(struct args *args, const char *keyword);
bool args_is_keyword(struct notify_str text, struct notify_str keyword);

/* Of a word that consists of several: takes off what stands before the next `end`, which goes, too;
 * all of it when there is none. */
struct notify_str args_cut(struct notify_str *text, char end);
/* The whole text is a number of decimal digits within min .. max. */
bool args_is_number(struct notify_str text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* name: what the argument is called in an error reply. */
bool args_take_str(struct args *args, const char *name, struct notify_str *ret_value);
/* The same for free text right before the options. */
bool args_take_text(struct args *args, const char *name, struct notify_str *ret_value);
/* An integer of decimal digits within min .. max. */
bool args_take_number(struct args *args, const char *name, uint64_t min, uint64_t max,
                      uint64_t *ret_value);
/* The same from 1 on: how many of what follow. A word that is no number is most likely the first of
 * them, and is told so. */
bool args_take_count(struct args *args, const char *name, const char *what, uint64_t max,
                     uint64_t *ret_count);
/* <ms>-<seq>, or <ms> with missing_seq. */
bool args_take_id(struct args *args, const char *name, uint64_t missing_seq,
                  struct notify_id *ret_id);
/* The ends of a range as XRANGE knows them: '-', '+', an id, "(id" without that id itself. An id
 * beyond all that can exist is the same as '+'. An end "(0-0" is an error as it is there. */
bool args_take_range_start(struct args *args, struct notify_id *ret_id);
bool args_take_range_end(struct args *args, struct notify_id *ret_id);

bool args_take_level(struct args *args, enum entry_level *ret_level);

/* Two arguments that choose entries: a type, which must not be empty, and an id, which may be. */
bool args_take_entity(struct args *args, struct notify_str *ret_type, struct notify_str *ret_id);

/* A key is made only under a name that its messages can carry: valid UTF-8. */
bool args_check_key(struct args *args, struct rm_string *key);

/* The count arguments from first on must differ from each other. what: one of them, in an error. */
bool args_check_distinct(struct args *args, int first, size_t count, const char *what);

/* Whether a command may name so many; what: of what. For clients only (limits.h). */
bool args_check_count(struct args *args, size_t count, size_t max, const char *what);

/* Also true for MAY (versions.h), which ends a list of names as an option does. */
bool args_is_option(struct notify_str word, const struct arg_option *options, size_t count);

/* Moves past "name [name …]", which ends at the next word that is one of the options. The first
 * word is always a name; one that is called like an option must be the only one, or else an option
 * whose names were forgotten would silently become one. what: a name as an error reply calls it. */
bool args_take_names(struct args *args, const char *what, const struct arg_option *options,
                     size_t count);

/* Takes options until the arguments end. *ret_seen gets bit i for options[i]. An unknown keyword,
 * or one given twice that may not be, is an error. At most 32 options. In what is replayed, a part
 * MAY n name … is taken as the option of that name, and passed over if there is none. */
bool args_take_options(struct args *args, const struct arg_option *options, size_t count,
                       void *into, uint32_t *ret_seen);

/* Words that stand in effects (replay.h) and would let a client do what no command may: false, and
 * an error that names the word, unless the command is replayed. */
bool args_check_internal(struct args *args, const char *name);

/* MAY n word [word …], at which the cursor stands: the words become a cursor of their own, and this
 * one moves behind them. For lists that are no options. */
bool args_take_may(struct args *args, struct args *ret_part);

#endif
