/* swarm -- very many clients in one thread, on one epoll: of WebSockets (RFC 6455), with or without
 * compressed messages (RFC 7692), or readers of streams of events.
 *
 * Made to cost little per message, so that the generator is not what is measured: one recv() brings
 * whatever is there, frames are looked at where they lie, and nothing is kept per client but a few
 * words. It answers pings. It knows nothing of what the text says.
 *
 * A connection that cannot be opened, or that ends, or that breaks the protocol, ends the program:
 * a swarm of which one is missing measures something else. */
#ifndef SWARM_H
#define SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct swarm;

enum swarm_carrier { SWARM_WEBSOCKET, SWARM_DEFLATED, SWARM_EVENTS };

struct swarm_handlers {
    enum swarm_carrier carrier;
    /* Writes the path and query to ask for ("/ws/c7?user=u7") into out, NUL-terminated. */
    void (*path_of)(void *ctx, uint32_t client, char *out, size_t cap);
    /* One text message, or the data of one event, borrowed for the length of the call. */
    void (*on_text)(void *ctx, uint32_t client, const char *text, size_t len);
    /* A ping frame was answered. NULL: nobody counts. */
    void (*on_ping)(void *ctx);
    void *ctx;
};

struct swarm *swarm_new(int port, uint32_t clients, struct swarm_handlers handlers);
void swarm_free(struct swarm *swarm);

/* Lets all clients connect that are not connected, a limited number at a time, while swarm_poll()
 * runs. */
void swarm_connect(struct swarm *swarm);
/* Closes all connections at once, without a closing handshake: as when the network goes. */
void swarm_drop(struct swarm *swarm);
/* Connections that have been upgraded, or whose stream has begun. */
uint32_t swarm_open_count(const struct swarm *swarm);
/* Bytes that have come over all of them. */
uint64_t swarm_received_bytes(const struct swarm *swarm);

/* Sends one text frame (masked, as clients must). Not over a stream of events. */
void swarm_send(struct swarm *swarm, uint32_t client, const char *text, size_t len);

/* Also wakes swarm_poll() when fd is readable, and calls fn(ctx). One at most. */
void swarm_watch(struct swarm *swarm, int fd, void (*fn)(void *ctx), void *ctx);

/* Handles what is there; waits up to timeout_ms if there is nothing. */
void swarm_poll(struct swarm *swarm, int timeout_ms);

#endif
