/* socketio_door -- the way in for Socket.IO: who may come, and that whoever has joined is a client.
 */
#ifndef SOCKETIO_DOOR_H
#define SOCKETIO_DOOR_H

struct config;
struct front_door;
struct poll_store;

/* Opens it in door, which is borrowed for life, as is config. 0 or -ENOMEM. */
int socketio_door_open(struct front_door *door, const struct config *config,
                       const struct poll_store *store);
/* Before the transport: nobody is kept who is not there. */
void socketio_door_let_go(struct front_door *door);
/* After the transport, and before the loop. */
void socketio_door_release(struct front_door *door);

#endif
