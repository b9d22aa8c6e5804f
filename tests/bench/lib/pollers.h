/* pollers -- very many clients of Socket.IO over HTTP polling (Engine.IO 4), in one thread on one
 * epoll: each with a connection that always asks and one on which it says something, both kept
 * alive.
 *
 * Like a swarm it looks at answers where they lie, and ends the program when a server breaks the
 * protocol or lets go of a session. A connection on which nothing is asked may end: it is opened
 * again when it is needed. */
#ifndef POLLERS_H
#define POLLERS_H

#include <stddef.h>
#include <stdint.h>

struct pollers;

struct pollers_handlers {
    /* What is asked for beside the session ("user=u7") into out, NUL-terminated. */
    void (*query_of)(void *ctx, uint32_t client, char *out, size_t cap);
    /* One packet of an answer, borrowed for the length of the call. */
    void (*on_packet)(void *ctx, uint32_t client, const char *packet, size_t len);
    void *ctx;
};

struct pollers *pollers_new(int port, uint32_t clients, struct pollers_handlers handlers);
void pollers_free(struct pollers *pollers);

/* Opens a session for each, a limited number at a time, while pollers_poll() runs; from then on
 * each always has a poll on its way. */
void pollers_connect(struct pollers *pollers);
/* Closes all connections at once. */
void pollers_drop(struct pollers *pollers);
/* Sessions that have been opened. */
uint32_t pollers_open_count(const struct pollers *pollers);
/* Bytes that have come, with all of HTTP. */
uint64_t pollers_received_bytes(const struct pollers *pollers);
/* Polls that have been answered. */
uint64_t pollers_answered(const struct pollers *pollers);

/* Posts a packet, with others that wait for the answer to the POST before. */
void pollers_say(struct pollers *pollers, uint32_t client, const char *packet, size_t len);

/* As swarm_watch() and swarm_poll(). */
void pollers_watch(struct pollers *pollers, int fd, void (*fn)(void *ctx), void *ctx);
void pollers_poll(struct pollers *pollers, int timeout_ms);

#endif
