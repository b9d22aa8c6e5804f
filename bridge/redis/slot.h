/* slot -- in which of a cluster's slots a key lies, or a sharded channel.
 *
 * CRC16 (XMODEM) of what stands between the first '{' and the next '}', or of all of it when
 * nothing does, modulo 16384
 * (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). */
#ifndef SLOT_H
#define SLOT_H

#include "notify_str.h"

#define SLOTS 16384

unsigned slot_of_key(struct notify_str key);
/* Of so many shares the one that the slot is in: each has as much of those that are anywhere
 * together, and of those that the 64 tags of wire/key_pattern.h lie in. */
unsigned slot_share(unsigned slot, unsigned shares);

#endif
