/* socketio_frame -- what is said to a client of Socket.IO, ready for a socket: each a whole text
 * frame of a WebSocket with one message of Engine.IO in it, of the namespace "/".
 *
 *     42["notification",{…}]
 *
 * An answer whose text names the event that it acknowledges is an acknowledgement. What an event
 * is called is the type of the text; a name that clients keep for themselves is "event" there. Of
 * an error its code, message and details stand at the top of the object, too. */
#ifndef SOCKETIO_FRAME_H
#define SOCKETIO_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"

struct frame;
struct text;

/* Does a client keep this name, a raw JSON string, for itself? It would take the connection for
 * broken, or the event for something else. */
bool socketio_frame_is_kept_name(struct notify_str type);

/* One reference. NULL: out of memory. */
struct frame *socketio_frame_new(const struct text *text);

/* For a client that is told with each event how far it has come (connection state recovery): an
 * event that is still open, without the frame's header. What is to end it is the receiver's own. An
 * acknowledgement is whole at once, and has no end. */
struct frame *socketio_frame_new_open(const struct text *text);
bool socketio_frame_is_open(const struct frame *frame);

/* Writes a whole frame of an open one, with an offset as the last argument if that is not empty: up
 * to SOCKETIO_FRAME_MORE bytes more than both have. One that is not open is written as it is.
 * offset: nothing in it is to be escaped. Returns how many bytes were written. */
#define SOCKETIO_FRAME_MORE 16
size_t socketio_frame_end(char *out, const struct frame *frame, struct notify_str offset);

#endif
