/* carried -- a connection that has no bytes of its own: another one carries it, or none does (a
 * poll). What becomes of what is written to it is for the layer to say that makes it (socketio/),
 * by a struct conn_kind: it alone, besides net/, includes this.
 *
 * As long as it is direct, what is written goes to the stream of the connection that carries it
 * past that one, so nothing is between a socket and the kernel. */
#ifndef CARRIED_H
#define CARRIED_H

#include "net/conn_base.h"

struct exchange;

/* carried is zeroed. by: the connection that carries it; its address is that of by, too. Relayed
 * until it is direct. */
void carried_begin(struct carried *carried, struct conn *by, const struct conn_kind *carrier);
/* The same of one that nothing carries: never direct. address: what limits count it by, or NULL. */
void carried_begin_alone(struct carried *carried, struct transport *transport,
                         struct address *address, const struct conn_kind *carrier);
/* That of all connections, as an exchange knows it. */
struct transport *carried_transport(const struct exchange *exchange);
/* What is written goes out unchanged from now on. */
void carried_go_direct(struct carried *carried, const struct conn *by);
/* The carrying connection has drained. */
void carried_drained(struct carried *carried);
/* It has ended, in one of the next turns of the loop; or at once, never from within a call of the
 * layers above. */
void carried_end(struct carried *carried, int code);
void carried_take_down(struct carried *carried, int code);

#endif
