/* request_rate -- how often each user may ask over HTTP, over all connections of his: a table of
 * rates (base/token_bucket.h) in memory of one size, however many users there are.
 *
 * A user has one of a few places, by a hash of his name that nobody else knows; whoever finds them
 * taken gets that which is nearest to being full again, and makes its user forgotten a little
 * early. A user whose bucket is full need not be remembered. */
#ifndef REQUEST_RATE_H
#define REQUEST_RATE_H

#include <stdint.h>

#include "base/token_bucket.h"
#include "notify_str.h"

struct loop;
struct request_rate;

#define REQUEST_RATE_USERS 16384 /* that are remembered */

/* NULL: out of memory. */
struct request_rate *request_rate_new(struct loop *loop, const struct token_rate *rate);
void request_rate_free(struct request_rate *rate);

/* One request of user: 0, or in how many milliseconds he may ask. rate NULL: there is no limit. */
uint64_t request_rate_take(struct request_rate *rate, struct notify_str user);

#endif
