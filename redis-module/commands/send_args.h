/* send_args -- what NOTIFY.SEND, EVENT and SENDMANY are told: their options, checked, and the body
 * made of them. Stores nothing and replies nothing: what is wrong stands in args.error. */
#ifndef SEND_ARGS_H
#define SEND_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/args.h"
#include "box/body.h"
#include "box/box.h"
#include "server/module_api.h"

enum send_option {
    SEND_CONTENT,
    SEND_TYPE,
    SEND_CATEGORY,
    SEND_LEVEL,
    SEND_DATA,
    SEND_NOSTORE,
    SEND_MAXLEN,
    SEND_EVENT,
    SEND_ACTION,
    SEND_ENTITY,
    SEND_EXCLUDE,
    SEND_ID,
    SEND_NX,
    SEND_XX,
    SEND_NOPUBLISH,
    SEND_WITHINFO,
    SEND_EX,
    SEND_PX,
    SEND_EXAT,
    SEND_PXAT,
    SEND_COLLAPSE,
    SEND_IDEMPOTENT,
    SEND_REMEMBER,
    SEND_AS,
    SEND_OPTIONS
};

/* Arguments that are replicated as they came: each option at most once. */
#define SEND_KEPT_MAX 48
#define SEND_EFFECT_TAIL 7 /* and what may be added behind id and limit */

/* An idempotent send: which token, and how tokens are remembered. */
struct send_token {
    struct notify_str text;
    uint64_t at_ms;    /* it is remembered as of then */
    uint64_t after_ms; /* those of then and before are forgotten */
    uint64_t max;      /* at most so many are kept */
};

struct send_spec {
    const char *command; /* under which it is replicated */
    const char *event;   /* of the keyspace notification */
    struct body body;    /* plain texts, borrowed */
    struct box_entry entry;
    struct notify_str category;
    struct send_token token;
    uint32_t epoch;        /* what an effect says has begun with it; 0: nothing */
    struct rm_string **as; /* AS: a word for each key, borrowed; NULL: not given */
    size_t key_count;
    bool replicates_later;
    uint64_t maxlen;
    uint64_t now_ms; /* the clock of the command */
    uint32_t seen;   /* bits of SEND_* */
    /* The arguments that are replicated, with room for what is added; [0] is the key. */
    size_t kept_count;
    struct rm_string *kept[SEND_KEPT_MAX + 1];
};

static inline bool send_has(const struct send_spec *spec, enum send_option option)
{
    return (spec->seen & (1u << option)) != 0;
}

enum send_kind { SEND_A_NOTIFICATION, SEND_AN_EVENT, SEND_TO_MANY, SEND_A_SIGNAL };

/* Takes title (or event name) and options to the end; the cursor stands at the title. keys: what it
 * is sent to, of which the first is checked and chosen already unless it is SEND_TO_MANY. */
bool send_args_take(struct send_spec *spec, struct args *args, struct rm_ctx *ctx,
                    enum send_kind which, struct rm_string **keys, size_t key_count);
/* The command goes on with that key, and with what AS has for it. */
void send_args_choose(struct send_spec *spec, struct rm_string **keys, size_t index);
/* The same, when the key has not been checked before. */
bool send_args_choose_checked(struct send_spec *spec, struct args *args, struct rm_string **keys,
                              size_t index);

/* What depends on the state of the server: the expiry lies ahead, the body is made (in scratch) and
 * small enough, the category is one. */
bool send_args_make_entry(struct send_spec *spec, struct args *args);

#endif
