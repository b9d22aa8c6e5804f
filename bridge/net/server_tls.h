/* server_tls -- what a handshake with a client begins with: the certificate that it is shown, the
 * versions and ciphers, and whether it must show one of its own. All of it can be replaced while
 * clients are connected: who was there keeps what he began with, and each handshake sees one set
 * alone. Private to net/.
 *
 * What became of handshakes is counted here, too. */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "net/server_tls_config.h"

struct server_tls;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* Nothing is there yet. NULL: out of memory. */
struct server_tls *server_tls_new(void);
/* After the context that it is attached to. NULL is fine. */
void server_tls_free(struct server_tls *tls);

/* Reads all that config names, for server_tls_take(). -EINVAL with the reason in why: then there is
 * nothing to take. */
int server_tls_read(struct server_tls *tls, const struct server_tls_config *config,
                    char why[TLS_WHY_MAX]);
/* What was read last, if it was good, counts from now on. Returns the file of its certificate,
 * borrowed until something else is taken; NULL: there was nothing. */
const char *server_tls_take(struct server_tls *tls);
/* Each handshake of this context asks tls, which is borrowed, and which something must have been
 * taken of by then. */
void server_tls_attach(struct server_tls *tls, struct ssl_ctx_st *ctx);

#endif
