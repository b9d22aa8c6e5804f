/* key_pattern -- how keys are made of names: "inbox:%s", or "inbox:{%h64}:%s".
 *
 * %s is the name. %h64 is a number of two digits, "00" to "63", that follows from the name: its
 * CRC-32 (that of zlib, of Ethernet) modulo 64. As a hash tag it gathers the keys of a cluster in
 * 64 of its 16384 slots, so that their channels are subscribed by a few commands. Whoever writes to
 * such keys computes the same (docs/redis.md). */
#ifndef KEY_PATTERN_H
#define KEY_PATTERN_H

#include <stdbool.h>

#include "notify_str.h"
#include "notify_wire.h"

#define KEY_NAME_MAX 128 /* bytes of the name of a user, a client, a topic, a session */

/* Why this is no usable pattern (static text); NULL: it is one. All below take usable ones. */
const char *key_pattern_check(const char *pattern);
/* Could a key be of both? */
bool key_patterns_meet(const char *a, const char *b);
/* The key of name, written into out. Empty when name is empty or the key would be too long. */
struct notify_str key_pattern_fill(const char *pattern, struct notify_str name,
                                   char out[NOTIFY_KEY_MAX]);
/* Is key one of this pattern, with the number that follows from its name? *ret_name: the part that
 * stands for %s; it points into key. */
bool key_pattern_fits(const char *pattern, struct notify_str key, struct notify_str *ret_name);
/* Is it one of this pattern, or would be with another number? */
bool key_pattern_resembles(const char *pattern, struct notify_str key);

#endif
