/* cursor_state -- what a cursor says of one entry of its log. */
#ifndef CURSOR_STATE_H
#define CURSOR_STATE_H

#include <stdbool.h>

struct cursor_state {
    bool is_read;
    bool is_seen; /* always true when is_read */
    bool archived;
};

#endif
