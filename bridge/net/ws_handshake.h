/* ws_handshake -- the opening handshake of a WebSocket (RFC 6455, 4.2), answered by ourselves.
 * Private to net/. */
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

struct evp_md_ctx_st; /* OpenSSL's EVP_MD_CTX */
struct http_request;
struct stream;
struct transport;
struct ws_opening;

/* What the answers are hashed with (transport->accept). NULL: it cannot be had. */
struct evp_md_ctx_st *ws_handshake_hash_new(void);
void ws_handshake_hash_free(struct evp_md_ctx_st *hash); /* NULL is fine */
/* What the standard asks of the request: 0, or the status to refuse it with, and header lines for
 * that answer (static text, each with CR LF; or NULL). */
int ws_handshake_check(const struct http_request *req, const char **ret_headers);
/* Asks the layers above, and agrees on compression. 0 or the status to refuse it with. */
int ws_handshake_ask(struct transport *transport, struct ws_opening *opening);
/* Says 101 and makes the connection. Takes stream over, in every case. */
void ws_handshake_open(struct transport *transport, struct stream *stream,
                       const struct ws_opening *opening);

#endif
