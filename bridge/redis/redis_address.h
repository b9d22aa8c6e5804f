/* redis_address -- where a Redis server is and how to enter it. */
#ifndef REDIS_ADDRESS_H
#define REDIS_ADDRESS_H

#include <stddef.h>

/* redis://[user:pass@]host[:port][/db] or unix:///path[?db=n]. All strings owned. */
struct redis_address {
    char *host;     /* name or address; NULL for a unix socket */
    char *path;     /* of a unix socket; NULL otherwise */
    char *user;     /* or NULL */
    char *password; /* or NULL */
    int port;
    int db;
};

#define REDIS_ADDRESS_TEXT_MAX                                                                     \
    320 /* of redis_address_text(), with its NUL; longer ones are cut                              \
         */

/* Parses url into *ret. On failure returns -EINVAL and a reason in *ret_why (static text). */
int redis_address_parse(struct redis_address *ret, const char **ret_why, const char *url);
/* The reason alone; NULL: url is good. */
const char *redis_address_check(const char *url);
void redis_address_release(struct redis_address *address);

/* host:port, [IPv6]:port or unix:/path, for logs: without user and password. Returns out. */
const char *redis_address_text(const struct redis_address *address,
                               char out[REDIS_ADDRESS_TEXT_MAX]);

#endif
