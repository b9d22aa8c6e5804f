/* front_door -- whoever comes: from which pages, by which names, how many, and what becomes of what
 * they ask for. */
#ifndef FRONT_DOOR_H
#define FRONT_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity/origins.h"

struct authority;
struct backend;
struct client_shared;
struct loop;
struct transport;
struct transport_config;

struct front_door {
    struct loop *loop; /* borrowed, like all of these */
    struct backend *backend;
    struct authority *authority;
    struct client_shared *clients;
    struct transport *transport;
    struct origins origins;
    size_t max_connections;
    bool dev;
    bool closed;                /* nobody is let in any more */
    uint64_t refusal_logged_ms; /* when a page was last logged that may not connect; 0: never */
};

/* Can clients be served? */
bool front_door_is_ready(const struct front_door *door);
/* Has a transport tell door, which must not move any more. */
void front_door_attach(struct front_door *door, struct transport_config *config);

#endif
