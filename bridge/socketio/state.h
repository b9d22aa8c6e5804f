/* state -- what a session over polling goes on with at its next poll, as one text. Private to
 * socketio/. It lies where others may write: what cannot be read is a session that is unknown. */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>

#include "notify_str.h"

struct parcel;

struct session_state {
    struct notify_str over;  /* packets that did not go into the last answer */
    struct notify_str input; /* and those of the client that were not looked at */
    struct notify_str upper; /* what whoever is above goes on with */
};

void state_write(const struct session_state *state, struct parcel *ret);
/* Points into text. False: it is none, or of a version that is not known here. */
bool state_read(struct notify_str text, struct session_state *ret);

#endif
