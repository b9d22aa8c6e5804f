/* front_door -- whoever comes: from which pages, by which names, how many, and what becomes of what
 * they ask for. */
#ifndef FRONT_DOOR_H
#define FRONT_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity/origins.h"
#include "net/listen_address.h"
#include "notify_str.h"
#include "requests/catalogue_pages.h"

struct authority;
struct backend;
struct board;
struct client_shared;
struct http_request;
struct loop;
struct socketio;
struct transport;
struct transport_config;

struct front_door {
    struct loop *loop; /* borrowed, like all of these */
    struct backend *backend;
    struct authority *authority;
    struct client_shared *clients;
    struct transport *transport;
    const struct board *board;     /* of all workers; NULL: there is one process */
    struct notify_str *namespaces; /* owned by socketio_door.c, as is the next */
    struct socketio *socketio;     /* NULL: nobody comes by Socket.IO */
    void (*on_idle)(void *ctx);    /* no request is under way; once it is closed */
    void *idle_ctx;
    struct origins origins[LISTEN_DOORS]; /* which pages may connect there, and its names */
    size_t max_connections, max_own;      /* of all workers, and of this process */
    struct catalogue_pages pages;         /* by value: what was asked of it is kept */
    bool dev;
    bool docs;
    bool metrics_apart;         /* they are shown where operators connect, and nowhere else */
    bool leaving;               /* the process is about to end: it is not ready, */
    bool handed_over;           /* but to another one, so the bridge is; */
    bool closed;                /* and nobody is let in any more */
    uint64_t refusal_logged_ms; /* when a page was last logged that may not connect; 0: never */
};

/* Can clients be served? */
bool front_door_is_ready(const struct front_door *door);
/* Is there no room for whoever asks this, who has met a limit then? */
bool front_door_is_full(const struct front_door *door, const struct http_request *req);
/* May the page that asks, if it is one, connect? */
bool front_door_knows_page(const struct front_door *door, const struct http_request *req);
void front_door_release(struct front_door *door);
/* Has a transport tell door, which must not move any more. */
void front_door_attach(struct front_door *door, struct transport_config *config);

#endif
