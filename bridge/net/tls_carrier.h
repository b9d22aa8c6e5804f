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
struct tls_carrier;

/* The files of the certificate (with its chain) and of its key, in PEM. NULL with the reason
 * logged. */
struct tls_carrier *tls_carrier_new(struct loop *loop, const char *cert_file, const char *key_file);
/* After its streams. NULL is fine. */
void tls_carrier_free(struct tls_carrier *carrier);

/* As stream_new(), with TLS over the socket. The handshake has a deadline of its own. */
struct stream *tls_stream_new(struct tls_carrier *carrier, int fd,
                              const struct stream_handlers *handlers, void *owner);

#endif
