/* tls_carrier -- TLS of clients, carried by libwebsockets: it does the handshake and the records,
 * and hands plain bytes to a stream. Private to net/, and the only user of libwebsockets beside its
 * glue. */
#ifndef TLS_CARRIER_H
#define TLS_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "net/stream.h"

struct loop;
struct server_tls_config;
struct tls_carrier;

/* config is read, and borrowed for the call. NULL with the reason logged. */
struct tls_carrier *tls_carrier_new(struct loop *loop, const struct server_tls_config *config);
/* Reads config, perhaps another one, and its files. -EINVAL with the reason logged; then it stays
 * as it was. */
int tls_carrier_read(struct tls_carrier *carrier, const struct server_tls_config *config);
/* What was read counts for who comes from now on. */
void tls_carrier_take(struct tls_carrier *carrier);
/* After its streams. NULL is fine. */
void tls_carrier_free(struct tls_carrier *carrier);

/* As stream_new(), with TLS over the socket. The handshake has a deadline of its own. */
struct stream *tls_stream_new(struct tls_carrier *carrier, int fd,
                              const struct stream_handlers *handlers, void *owner);

#endif
