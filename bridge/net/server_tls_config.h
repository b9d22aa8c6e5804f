/* server_tls_config -- how TLS is spoken with clients, as it is configured. */
#ifndef SERVER_TLS_CONFIG_H
#define SERVER_TLS_CONFIG_H

#include "base/tls_files.h"

/* Are clients asked for a certificate? */
enum server_tls_clients {
    SERVER_TLS_BY_CA,    /* nothing is said: one must be shown if it is said who may vouch for it */
    SERVER_TLS_OFF,      /* no */
    SERVER_TLS_OPTIONAL, /* one that is shown must be good */
    SERVER_TLS_REQUIRED,
};

/* Text is borrowed while it is read. */
struct server_tls_config {
    const char *cert, *key; /* files in PEM; NULL: there is no listener with TLS */
    const char *client_ca;  /* who may vouch for certificates of clients: a file in PEM; or NULL */
    const char *ciphers;    /* of TLS 1.2, best first; NULL: OpenSSL's choice */
    const char *suites;     /* the same of TLS 1.3 */
    enum tls_version least; /* that is spoken */
    enum server_tls_clients clients;
};

/* Why text is none of these (static text), or NULL. */
const char *server_tls_check_ciphers(const char *text);
const char *server_tls_check_suites(const char *text);

#endif
