/* addresses -- what is limited for each address of clients, over all connections that it has: how
 * many there are, how often it may connect, how often the log tells of it.
 *
 * An address is what limits count by (peer_address_key()): all of 203.0.113.7, or the /64 of an
 * IPv6 one. It is known as long as it has a connection, or there is something to remember of it;
 * of those without a connection so many are remembered, and the one that has been so for longest is
 * forgotten for the next: whoever comes from very many addresses makes us forget his own. */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/token_bucket.h"
#include "net/peer_address.h"

struct address;
struct addresses;
struct loop;

struct address_limits {
    size_t connections;         /* of one address; 0: no limit */
    struct token_rate attempts; /* to connect */
    size_t remembered;          /* addresses without a connection */
    struct peer_trust exempt;   /* borrowed: those that the first two are not for, */
    struct peer_trust proxies;  /* and those that connect for others */
};

/* "2001:db8:1:2::/64" */
#define ADDRESS_TEXT_MAX (PEER_TEXT_MAX + 4)
#define ADDRESS_LINES_PER_S 1 /* about limits, in the log, for all addresses together, */
#define ADDRESS_LINES_BURST 100
#define ADDRESS_LINE_MS 60000 /* and one about each limit of each address in this time */

/* limits is copied. NULL: out of memory. */
struct addresses *addresses_new(struct loop *loop, const struct address_limits *limits);
/* No connection may be left. NULL is fine. */
void addresses_free(struct addresses *addresses);
size_t addresses_count(const struct addresses *addresses);

/* One connection more of addr, until address_release(). NULL: out of memory; all below take that
 * for an address without limits. */
struct address *addresses_take(struct addresses *addresses, const struct peer_address *addr);
void address_release(struct address *address);

/* It is known as long as somebody keeps it, too; who does so is no connection. address may be NULL,
 * and is returned. */
struct address *address_keep(struct address *address);
void address_unkeep(struct address *address);

/* Has it more connections than it may, and so many beside? */
bool address_is_crowded(const struct address *address, size_t beside);
/* It tries to connect: 0, or in how many milliseconds it may try again. cost: attempts that this
 * stands for, at most the burst. */
uint64_t address_try(struct address *address, uint32_t cost);
/* It has met a limit: counted, and told in the log. */
void address_limit_met(struct address *address, enum counter limit);
/* Returns out. */
const char *address_format(const struct address *address, char out[ADDRESS_TEXT_MAX]);

#endif
