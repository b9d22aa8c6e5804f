/* far_private -- a command about logs in other slots while it is done. For far_logs.c, which sends
 * and waits, and the kinds of commands alone: far_count.c, far_page.c, far_feed.c, far_mark.c and
 * far_sweep.c. */
#ifndef FAR_PRIVATE_H
#define FAR_PRIVATE_H

#include <stdint.h>

#include "notify_id.h"
#include "redis/resp_arena.h"
#include "redis/turns.h"
#include "requests/far_words.h"
#include "requests/words.h"

struct far;

/* What one of its commands was answered. False: that is no answer to it, and the whole has failed.
 */
typedef bool (*far_fn)(struct far *far, size_t which, const struct resp *reply);

/* A kind of command. All but ask_log and end may be NULL. */
struct far_kind {
    struct notify_str name;
    size_t fixed;                  /* words that must be there, behind the inbox */
    size_t state_bytes;            /* of its own, all zero at first */
    bool (*init)(struct far *far); /* false: out of memory */
    void (*release)(struct far *far);
    /* What the inbox itself is asked or told, before the logs are asked. */
    void (*ask_own)(struct far *far);
    /* Asks a log, whose cursor is known, if the inbox has one. */
    void (*ask_log)(struct far *far, size_t i);
    /* The logs from far->from to far->to have answered. Whether there is more to be done about
     * them: it has sent something, and is called again behind that. */
    bool (*behind_logs)(struct far *far);
    /* All have: far_answer(), or something is sent, and it is called again. */
    void (*end)(struct far *far);
};

extern const struct far_kind far_badge, far_unread, far_range, far_revrange, far_get, far_feed,
    far_mark, far_readall, far_seen;

struct far {
    const struct far_kind *kind;
    struct far_words words;
    struct resp_arena arena;    /* for what the reply is made of */
    struct notify_str *cursors; /* one for each log, as a word; empty: it is not followed */
    void *state;                /* the kind's own */
    size_t from, to;            /* the logs that are being asked */
    /* The rest is far_logs.c's. */
    struct turns *turns;     /* borrowed */
    struct turn turn;        /* whom to tell */
    struct resp_arena round; /* of the cursors from from to to */
    enum { FAR_BEGIN, FAR_CURSORS, FAR_LOGS, FAR_END } at;
    size_t at_once, under_way;
    const struct resp *reply;
    int error; /* that the first command could not be sent with */
    bool has_sent, waits, failed, answered;
};

/* fn gets the reply, unless that does not come: then the whole has failed. which is for fn. */
void far_send(struct far *far, far_fn fn, size_t which, const struct words *words,
              size_t reply_bytes);
/* Asks for the cursors of the logs from far->from on anew; these are then asked again. */
void far_ask_cursors(struct far *far);
/* The reply to the whole; NULL, for lack of memory: it has failed. */
void far_answer(struct far *far, const struct resp *reply);

/* NOTIFY.VIEW of the log, without options. */
struct words far_view(const struct far *far, size_t i);
/* The same for the one entry with this id; its words lie in text. False: there is none with such an
 * id. */
bool far_view_entry(const struct far *far, size_t i, struct notify_str id,
                    char text[NOTIFY_ID_TEXT_MAX + 1], struct words *ret);
static inline bool far_follows(const struct far *far, size_t i)
{
    return far->cursors[i].len > 0;
}

#define FAR_COUNTS_BYTES 512 /* of a VIEW without entries */

#endif
