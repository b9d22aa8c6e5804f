/* stream -- plain sockets; TLS is handed on to tls_carrier. */
#include "net/stream.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/small.h"

/* Bytes that wait for the socket. */
struct stream_rest {
    size_t len, at; /* at: so many of len are gone */
    char bytes[];
};

struct stream *stream_new(struct poller *poller, int fd, const struct stream_handlers *handlers,
                          void *owner)
{
    struct stream *stream = small_take(sizeof(*stream));

    if (stream == NULL) {
        (void)close(fd); /* nothing was written to it */
        return NULL;
    }
    stream->socket.fd = fd;
    stream->poller = poller;
    stream->handlers = handlers;
    stream->owner = owner;
    return stream;
}

void stream_hand_over(struct stream *stream, const struct stream_handlers *handlers, void *owner)
{
    stream->handlers = handlers;
    stream->owner = owner;
}

/* Of a plain one: what there is to be told of. */
static int wish_again(struct stream *stream)
{
    return poller_wish(stream->poller, &stream->socket,
                       (stream->reading ? POLLER_INPUT : 0U) |
                           (stream->rest != NULL ? POLLER_OUTPUT : 0U));
}

void stream_want_input(struct stream *stream, bool wanted)
{
    if (stream->reading == wanted)
        return;
    stream->reading = wanted;
    if (stream->kind != NULL)
        stream->kind->want_input(stream->carried, wanted);
    else if (wish_again(stream) != 0)
        stream->reading = false; /* no kernel memory: silent until a timeout ends it */
}

ssize_t stream_read(struct stream *stream, void *buf, size_t cap)
{
    ssize_t n;

    if (stream->kind != NULL)
        n = stream->kind->read(stream->carried, buf, cap);
    else
        n = recv(stream->socket.fd, buf, cap, 0);
    if (n > 0)
        counter_add(COUNTER_BYTES_RECEIVED, (uint64_t)n);
    if (stream->kind != NULL)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 ? n : -1;
}

/* Sends what the socket takes: the length, 0 for nothing, -1 if it is broken. */
static ssize_t send_some(const struct stream *stream, const void *bytes, size_t len)
{
    ssize_t n = send(stream->socket.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
        return 0;
    if (n > 0)
        counter_add(COUNTER_BYTES_SENT, (uint64_t)n);
    return n;
}

static void drop_rest(struct stream *stream)
{
    free(stream->rest);
    stream->rest = NULL;
}

static void end_output_now(struct stream *stream)
{
    if (stream->socket.fd >= 0)
        (void)shutdown(stream->socket.fd, SHUT_WR); /* fails only if the peer is gone */
}

/* A broken socket is readable, so its owner hears of it by on_input, unless it wants none: then by
 * on_drained, and its next write says that it is dead. */
static void on_writable(struct stream *stream)
{
    struct stream_rest *rest = stream->rest;
    ssize_t n = send_some(stream, rest->bytes + rest->at, rest->len - rest->at);

    rest->at += n > 0 ? (size_t)n : 0;
    if (n >= 0 && rest->at < rest->len)
        return;
    drop_rest(stream);
    (void)wish_again(stream); /* less than before, which needs no memory */
    if (stream->ended_output)
        end_output_now(stream);
    stream->handlers->on_drained(stream->owner);
}

void stream_on_ready(struct polled *polled, enum poller_wish wish)
{
    struct stream *stream = (void *)((char *)polled - offsetof(struct stream, socket));

    if (wish == POLLER_OUTPUT)
        on_writable(stream);
    else
        stream->handlers->on_input(stream->owner);
}

/* Behind what is kept already. */
static bool keep(struct stream *stream, const char *bytes, size_t len)
{
    struct stream_rest *rest = stream->rest;
    size_t kept = stream_kept(stream);

    if (kept > 0)
        memmove(rest->bytes, rest->bytes + rest->at, kept);
    rest = realloc(rest, sizeof(*rest) + kept + len);
    if (rest == NULL)
        return false;
    memcpy(rest->bytes + kept, bytes, len);
    rest->at = 0;
    rest->len = kept + len;
    stream->rest = rest;
    return wish_again(stream) == 0;
}

/* What it keeps counts already. */
static enum stream_written write_carried(struct stream *stream, const void *bytes, size_t len)
{
    enum stream_written written = stream->kind->write(stream->carried, bytes, len);

    if (written != STREAM_DEAD)
        counter_add(COUNTER_BYTES_SENT, len);
    return written;
}

enum stream_written stream_write(struct stream *stream, const void *bytes, size_t len)
{
    ssize_t sent = 0;

    if (stream->kind != NULL)
        return write_carried(stream, bytes, len);
    if (stream->rest == NULL) {
        sent = send_some(stream, bytes, len);
        if (sent == (ssize_t)len)
            return STREAM_SENT;
    }
    if (sent < 0 || !keep(stream, (const char *)bytes + sent, len - (size_t)sent))
        return STREAM_DEAD;
    return STREAM_BUSY;
}

bool stream_is_busy(const struct stream *stream)
{
    return stream->kind != NULL ? stream->kind->is_busy(stream->carried) : stream->rest != NULL;
}

size_t stream_kept(const struct stream *stream)
{
    return stream->kind != NULL || stream->rest == NULL ? 0 : stream->rest->len - stream->rest->at;
}

void stream_end_output(struct stream *stream)
{
    stream->ended_output = true;
    if (stream->kind != NULL)
        stream->kind->end_output(stream->carried);
    else if (!stream_is_busy(stream))
        end_output_now(stream);
}

int stream_socket(const struct stream *stream)
{
    return stream->kind != NULL ? stream->kind->socket(stream->carried) : stream->socket.fd;
}

bool stream_is_secure(const struct stream *stream)
{
    return stream->kind != NULL;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->kind != NULL) {
        stream->kind->free(stream->carried);
    } else {
        poller_close(stream->poller, &stream->socket);
    }
    drop_rest(stream);
    small_give(stream, sizeof(*stream));
}
