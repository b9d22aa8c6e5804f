/* redis_address -- where a Redis server is and how to enter it. */
#ifndef REDIS_ADDRESS_H
#define REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* redis://[user:pass@]host[:port][/db], the same with rediss:// for TLS, or
 * unix://[user:pass@]/path[?db=n]. All strings owned. */
struct redis_address {
    char *host;     /* name or address; NULL for a unix socket */
    char *path;     /* of a unix socket; NULL otherwise */
    char *user;     /* or NULL */
    char *password; /* or NULL */
    int port;
    int db;
    bool tls;
};

#define REDIS_ADDRESS_TEXT_MAX                                                                     \
    320 /* of redis_address_text(), with its NUL; longer ones are cut                              \
         */

/* Parses url into *ret. On failure returns -EINVAL and a reason in *ret_why (static text). */
int redis_address_parse(struct redis_address *ret, const char **ret_why, const char *url);
/* The same for a URL that names several servers, with commas between them: each has what stands
 * before and behind them. port: of those that say none. */
struct redis_addresses {
    struct redis_address *items; /* owned */
    size_t len;
};
#define REDIS_ADDRESSES_MAX 16
#define REDIS_DEFAULT_PORT 6379
int redis_addresses_parse(struct redis_addresses *ret, const char **ret_why, const char *url,
                          int port);
void redis_addresses_release(struct redis_addresses *addresses);
/* The reason alone; NULL: url is good. */
const char *redis_address_check(const char *url);
/* The number of the database that it names, 0 where it names none. It was checked. */
int redis_address_database(const char *url);
/* How many servers it names, whatever is wrong with it; 0: a socket of this machine. */
size_t redis_address_count(const char *url);
/* 0 or -ENOMEM. */
int redis_address_copy(struct redis_address *ret, const struct redis_address *address);
bool redis_address_is_tls(const char *url);
/* Is host an address of IPv4 or IPv6, and no name? */
bool redis_address_is_numeric(const char *host);
void redis_address_release(struct redis_address *address);

/* host:port, [IPv6]:port or unix:/path, for logs: without user and password. Returns out. */
const char *redis_address_text(const struct redis_address *address,
                               char out[REDIS_ADDRESS_TEXT_MAX]);

#endif
