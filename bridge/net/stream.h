/* stream -- the bytes of one peer: a socket, or TLS over one. What goes over it is its owner's
 * matter.
 *
 * Writing never waits: what the socket does not take is kept, and the owner told when it has gone.
 * The plain kind is the socket and nothing else; TLS is carried by tls_carrier.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/poller.h"

struct stream;

/* What the owner is told, from the loop; it may close the stream in any of these. */
struct stream_handlers {
    void (*on_input)(void *owner);   /* there is something to read, or the end, or a fault */
    void (*on_drained)(void *owner); /* what was kept has gone out */
};

enum stream_written {
    STREAM_SENT, /* the kernel has it all */
    STREAM_BUSY, /* a part is kept: on_drained follows */
    STREAM_DEAD, /* broken: to be closed by the owner */
};

/* What a stream that is no plain socket does in stream.c's place: TLS. */
struct stream_kind {
    void (*want_input)(void *carried, bool wanted);
    ssize_t (*read)(void *carried, void *buf, size_t cap);
    enum stream_written (*write)(void *carried, const void *bytes, size_t len);
    bool (*is_busy)(const void *carried);
    void (*end_output)(void *carried);
    int (*socket)(const void *carried);
    void (*free)(void *carried);
};

/* One per connection: keep it small. */
struct stream {
    struct polled socket; /* its fd is -1: TLS, or closed */
    const struct stream_handlers *handlers;
    void *owner;
    struct stream_rest *rest;       /* owned; what the socket has not taken; or NULL */
    const struct stream_kind *kind; /* NULL: a plain socket; or */
    union {
        struct poller *poller; /* borrowed; of a plain one */
        void *carried;         /* owned: what the kind works on */
    };
    bool reading, ended_output;
};

/* A plain socket is ready: the poller_fn of their poller. */
void stream_on_ready(struct polled *polled, enum poller_wish wish);
/* fd: a connected, non-blocking socket, taken over. Nothing is read until stream_want_input().
 * NULL: out of memory, and fd is closed. */
struct stream *stream_new(struct poller *poller, int fd, const struct stream_handlers *handlers,
                          void *owner);
/* From now on somebody else is told. */
void stream_hand_over(struct stream *stream, const struct stream_handlers *handlers, void *owner);

void stream_want_input(struct stream *stream, bool wanted);
/* What is there: its length, 0 for nothing now, -1 at the end or a fault. */
ssize_t stream_read(struct stream *stream, void *buf, size_t cap);
enum stream_written stream_write(struct stream *stream, const void *bytes, size_t len);
bool stream_is_busy(const struct stream *stream);
/* Bytes that are kept. */
size_t stream_kept(const struct stream *stream);
/* Our last byte has been written: the peer sees the end once all is out. */
void stream_end_output(struct stream *stream);
/* The socket below, for its options; -1: there is none any more. */
int stream_socket(const struct stream *stream);
/* Is it TLS? */
bool stream_is_secure(const struct stream *stream);
/* Closes and frees, whatever is kept. NULL is fine. */
void stream_free(struct stream *stream);

#endif
