/* origins -- which web pages may use the bridge, and by which names it may be called.
 *
 * A browser lets any page of any web site connect to any address, this machine's own included, and
 * only says where the page is from (Origin). And a page can have its own name resolved to an
 * address of this machine (DNS rebinding): then the origin is the same as the host, and only the
 * host's name gives it away. Programs that are no browsers send no Origin, and are not the matter
 * here. */
#ifndef ORIGINS_H
#define ORIGINS_H

#include <stdbool.h>

#include "notify_str.h"

struct origins {
    /* NULL-terminated, borrowed: "https://app.example.com", "null" (a file, a sandboxed frame) or
     * "*", each of which origin_is_valid(). */
    const char *const *allowed;
    const char *const *host_names; /* NULL-terminated, borrowed: besides those of the loopback */
    bool loopback_pages;           /* those on this machine may use it, whatever their port */
    bool guard_host;               /* it is to be reached from this machine alone */
};

/* May a page of origin use what it has called host (each as in the request's header, empty: the
 * header is missing)? */
bool origins_allow(const struct origins *origins, struct notify_str origin, struct notify_str host);
/* Is host a name that the bridge goes by? */
bool origins_know_host(const struct origins *origins, struct notify_str host);

/* For what is configured. */
bool origin_is_valid(const char *text);
bool host_name_is_valid(const char *text); /* without a port */

#endif
