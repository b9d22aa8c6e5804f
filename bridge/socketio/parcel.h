/* parcel -- several byte strings as one: each its length, a colon, and its bytes. What a session
 * goes on with between two polls is packed so, and read with suspicion. */
#ifndef PARCEL_H
#define PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

/* All zero: nothing yet. */
struct parcel {
    char *bytes; /* owned */
    size_t len, cap;
    bool failed; /* out of memory: it stays so */
};

void parcel_append(struct parcel *parcel, struct notify_str raw); /* as it is */
void parcel_add(struct parcel *parcel, struct notify_str item);
void parcel_add_number(struct parcel *parcel, uint64_t number);
void parcel_release(struct parcel *parcel);

static inline struct notify_str parcel_text(const struct parcel *parcel)
{
    return notify_str_of(parcel->bytes, parcel->len);
}

/* Takes the first item off. False: there is none, or it is none. */
bool parcel_next(struct notify_str *rest, struct notify_str *ret_item);
bool parcel_next_number(struct notify_str *rest, uint64_t *ret_number);

#endif
