/* redis_tls -- TLS towards Redis: whom we believe, who we say we are, and in a sentence what was
 * wrong. hiredis reads and writes over it (hiredis_ssl), but checks no name; so each connection's
 * state of TLS is made here. */
#ifndef REDIS_TLS_H
#define REDIS_TLS_H

#include <stdbool.h>

#include "base/tls_files.h"

struct redisContext;
struct redis_tls;
struct ssl_st;

/* All borrowed for the life of the redis_tls. */
struct redis_tls_config {
    const char *ca; /* who vouches for servers: a file or folder in PEM; NULL: the system's */
    const char *cert, *key; /* ours, as files in PEM; NULL: none */
    const char *name;       /* that a server's certificate must have; NULL: as it is called */
    enum tls_version least;
};

/* NULL: the reason is in why. */
struct redis_tls *redis_tls_new(const struct redis_tls_config *config, char why[TLS_WHY_MAX]);
void redis_tls_free(struct redis_tls *tls);

/* Begins TLS on a connection that stands, to the server that is called host; files that have
 * changed since are read first. The context owns what is returned. NULL: the reason is in why, and
 * the context can only be freed. */
struct ssl_st *redis_tls_begin(struct redis_tls *tls, struct redisContext *context,
                               const char *host, char why[TLS_WHY_MAX]);
/* Before the context reads or writes: forgets what went wrong elsewhere. */
void redis_tls_prepare(void);
/* Nothing can be written until something has been read. */
bool redis_tls_wants_read(const struct ssl_st *ssl);
bool redis_tls_is_up(const struct ssl_st *ssl);
/* Of a connection that has failed while reading or writing. has_ended: the server closed it.
 * Returns why. */
const char *redis_tls_failure(const struct ssl_st *ssl, bool has_ended, char why[TLS_WHY_MAX]);

#endif
