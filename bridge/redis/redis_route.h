/* redis_route -- where a link goes, asked before each of its attempts, and whom it may meet there.
 */
#ifndef REDIS_ROUTE_H
#define REDIS_ROUTE_H

struct redis_address;
struct redis_tls;

enum redis_role {
    REDIS_ANY,     /* a server that belongs to no cluster */
    REDIS_PRIMARY, /* one that takes writes */
    REDIS_CLUSTER, /* one of a cluster's */
    REDIS_SENTINEL,
};

struct redis_route {
    /* NULL: nobody knows yet; the link then waits for redis_link_reroute(). What is returned stays
     * as it is until then, too. */
    const struct redis_address *(*where)(void *ctx);
    /* The link went down by itself, or did not come up: perhaps that is not the place any more. May
     * be NULL. The link cannot be rerouted or freed from within. */
    void (*on_doubt)(void *ctx);
    void *ctx;
    struct redis_tls *tls; /* borrowed; NULL: none is spoken */
    enum redis_role role;
};

#endif
