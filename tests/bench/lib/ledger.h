/* ledger -- who got what: that every client received each id of a log exactly once and in order.
 *
 * Ids are folded into one number per client, in the order in which they come; the ids that Redis
 * answered to the sender are folded the same way. Two runs of ids that differ anywhere (one
 * missing, one twice, two swapped) give different numbers. So a receipt costs a few instructions,
 * and nothing is kept per message. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

struct ledger_page {
    uint64_t count;
    uint64_t fold;
};

struct ledger {
    uint32_t clients;
    struct ledger_page sent;   /* what Redis acknowledged */
    struct ledger_page *pages; /* owned, one per client */
};

void ledger_init(struct ledger *ledger, uint32_t clients);
void ledger_release(struct ledger *ledger);

/* An id, as text, that Redis answered to a sender. */
void ledger_sent(struct ledger *ledger, struct notify_str id);
/* The same id reached a client. Returns how many ids that client has now. */
uint64_t ledger_received(struct ledger *ledger, uint32_t client, struct notify_str id);

/* Of a log for each: ends the program unless client i of got has exactly what page i / share of
 * sent has, in that order. */
void ledger_compare(const struct ledger *sent, const struct ledger *got, uint32_t share,
                    const char *when);
/* Ends the program unless every client got exactly what was sent, in that order. */
void ledger_check(const struct ledger *ledger, const char *when);

#endif
