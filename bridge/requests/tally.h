/* tally -- what an inbox and logs that it follows have unread, as far as who asks may see it.
 *
 * One NOTIFY.BADGE says it. When somebody may not see all of the logs and something in them is
 * unread, what is hidden is asked for, too, and taken off. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "notify_str.h"

#define TALLY_ANSWER_BYTES 131072 /* of an answer that is made of one, at most */

struct logs;
struct request;
struct tally;
struct words;

/* It is known; r is to be answered. The tally is freed behind the call. */
typedef void (*tally_fn)(struct request *r, struct tally *tally);

struct tally {
    tally_fn done;
    bool groups;       /* its by_category is to have the logs, too */
    int64_t changed;   /* by what was done before: for done */
    json_t *badge;     /* owned: the members of NOTIFY.BADGE, with logs, from when it is known on */
    json_t *hidden;    /* owned array of categories that have something unread; or NULL */
    size_t hidden_off; /* so many of these have been taken off */
    void *ctx;         /* owned: what done needs besides; or NULL */
    void (*release)(void *ctx);
    size_t logs_len;
    struct notify_str logs[]; /* their keys, which lie behind */
};

/* logs are copied. NULL: out of memory, and r has been answered. */
struct tally *tally_new(struct request *r, const struct logs *logs, tally_fn done);
/* For call_kind. */
void tally_free(void *tally);

/* Asks Redis; takes the tally over. */
void tally_send(struct request *r, struct tally *tally);
/* First a command that answers how many entries it changed: it adds to tally->changed. */
void tally_send_behind(struct request *r, struct tally *tally, const struct words *command);
/* Only whether something that is unread is hidden from who asks: tally->hidden, the rest is not
 * known. */
void tally_send_hidden(struct request *r, struct tally *tally);

/* For done: of the inbox alone, and of it and all of the logs; name: "unread" or "unseen". */
int64_t tally_own(const struct tally *tally, const char *name);
int64_t tally_total(const struct tally *tally, const char *name);
/* A new object, log -> unread. NULL: out of memory. */
json_t *tally_logs(const struct tally *tally);

#endif
