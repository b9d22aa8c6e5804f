/* linger -- channels that nobody follows any more: they stay for a while, since clients tend to
 * come back, but not more than so many, and of each client not more than so many that it has left.
 *
 * At a limit a channel goes in the next turn: the one that was just left, or the one that has
 * stayed longest. One that waits for an answer of Redis cannot go before it: while too many do,
 * nothing new begins. */
#ifndef LINGER_H
#define LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;
struct linger;
struct loop;

struct linger_limits {
    uint64_t ms;       /* how long a channel stays */
    size_t channels;   /* how many, in all */
    size_t per_client; /* and of those that one client has left */
};

/* What one client has left: made when it leaves the first, kept until the last has gone. */
struct linger_account;

/* Called from the loop for a channel that has stayed long enough: it is to be freed. */
typedef void (*linger_fn)(void *ctx, struct channel *channel);

/* NULL: out of memory. */
struct linger *linger_new(struct loop *loop, const struct linger_limits *limits, linger_fn fn,
                          void *ctx);
/* Calls fn for all that are left. No read may be under way. NULL is fine. */
void linger_free(struct linger *linger);

/* May another channel be made, by a client with this account (may be NULL)? Makes room for it. */
bool linger_allows(struct linger *linger, const struct linger_account *account);
/* Nobody follows channel now, which may be the end of it. *account: of the client that has left it,
 * made if it is NULL; account == NULL: nobody has. */
void linger_begin(struct linger *linger, struct channel *channel, struct linger_account **account);
/* Somebody follows it. A channel that does not linger is fine. */
void linger_end(struct linger *linger, struct channel *channel);
size_t linger_count(const struct linger *linger);

/* The client has gone. NULL is fine. */
void linger_account_release(struct linger_account *account);

#endif
