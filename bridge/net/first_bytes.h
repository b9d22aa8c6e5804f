/* first_bytes -- what stands on a new connection before HTTP: the header of the PROXY protocol
 * where the listener requires it, and a look at whether the peer begins TLS where it should.
 * Private to net/. */
#ifndef FIRST_BYTES_H
#define FIRST_BYTES_H

#include "net/peer_address.h"

struct address;
struct first_bytes;
struct listen_kind;
struct transport;

/* Takes fd and address over, in every case. address: of the peer; NULL: the first bytes say whose
 * connection it is. */
void first_bytes_open(struct transport *transport, int fd, const struct peer_address *peer,
                      const struct listen_kind *kind, struct address *address);
void first_bytes_free(struct first_bytes *first);

#endif
