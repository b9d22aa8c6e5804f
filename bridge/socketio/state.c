#include "socketio/state.h"

#include "socketio/parcel.h"

#define VERSION 1

void state_write(const struct session_state *state, struct parcel *ret)
{
    parcel_add_number(ret, VERSION);
    parcel_add(ret, state->over);
    parcel_add(ret, state->input);
    parcel_add(ret, state->upper);
}

bool state_read(struct notify_str text, struct session_state *ret)
{
    uint64_t version;

    return parcel_next_number(&text, &version) && version == VERSION &&
           parcel_next(&text, &ret->over) && parcel_next(&text, &ret->input) &&
           parcel_next(&text, &ret->upper) && text.len == 0;
}
