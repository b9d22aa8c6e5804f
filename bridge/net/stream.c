/* stream -- plain sockets; TLS is handed on to tls_carrier. */
#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/loop.h"

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;

    (void)fd;
    (void)what;
    stream->handlers->on_input(stream->owner);
}

struct stream *stream_new(struct loop *loop, int fd, const struct stream_handlers *handlers,
                          void *owner)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL) {
        (void)close(fd); /* nothing was written to it */
        return NULL;
    }
    stream->fd = fd;
    stream->loop = loop;
    stream->handlers = handlers;
    stream->owner = owner;
    (void)event_assign(&stream->read, loop_base(loop), fd, EV_READ | EV_PERSIST, on_readable,
                       stream); /* fails only for arguments that are none */
    return stream;
}

void stream_hand_over(struct stream *stream, const struct stream_handlers *handlers, void *owner)
{
    stream->handlers = handlers;
    stream->owner = owner;
}

void stream_want_input(struct stream *stream, bool wanted)
{
    if (stream->reading == wanted)
        return;
    stream->reading = wanted;
    if (stream->kind != NULL)
        stream->kind->want_input(stream->carried, wanted);
    else if (!wanted)
        (void)event_del(&stream->read); /* was added, so cannot fail */
    else if (event_add(&stream->read, NULL) != 0)
        stream->reading = false; /* no kernel memory: silent until a timeout ends it */
}

ssize_t stream_read(struct stream *stream, void *buf, size_t cap)
{
    ssize_t n;

    if (stream->kind != NULL)
        return stream->kind->read(stream->carried, buf, cap);
    n = recv(stream->fd, buf, cap, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 ? n : -1;
}

/* Sends what the socket takes: the length, 0 for nothing, -1 if it is broken. */
static ssize_t send_some(const struct stream *stream, const void *bytes, size_t len)
{
    ssize_t n = send(stream->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
        return 0;
    return n;
}

static void stop_writing(struct stream *stream)
{
    if (stream->write != NULL)
        event_free(stream->write);
    stream->write = NULL;
    free(stream->rest);
    stream->rest = NULL;
    stream->rest_len = stream->rest_at = 0;
}

static void end_output_now(struct stream *stream)
{
    if (stream->fd >= 0)
        (void)shutdown(stream->fd, SHUT_WR); /* fails only if the peer is gone */
}

/* A broken socket is readable, so its owner hears of it by on_input, unless it wants none: then by
 * on_drained, and its next write says that it is dead. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *stream = arg;
    ssize_t n =
        send_some(stream, stream->rest + stream->rest_at, stream->rest_len - stream->rest_at);

    (void)fd;
    (void)what;
    stream->rest_at += n > 0 ? (size_t)n : 0;
    if (n >= 0 && stream->rest_at < stream->rest_len)
        return;
    stop_writing(stream);
    if (stream->ended_output)
        end_output_now(stream);
    stream->handlers->on_drained(stream->owner);
}

static bool start_writing(struct stream *stream)
{
    if (stream->write != NULL)
        return true;
    stream->write =
        event_new(loop_base(stream->loop), stream->fd, EV_WRITE | EV_PERSIST, on_writable, stream);
    if (stream->write != NULL && event_add(stream->write, NULL) == 0)
        return true;
    if (stream->write != NULL)
        event_free(stream->write);
    stream->write = NULL;
    return false;
}

/* Behind what is kept already. */
static bool keep(struct stream *stream, const char *bytes, size_t len)
{
    size_t kept = stream->rest_len - stream->rest_at;
    char *rest;

    if (stream->rest_at > 0)
        memmove(stream->rest, stream->rest + stream->rest_at, kept);
    stream->rest_at = 0;
    stream->rest_len = kept;
    rest = realloc(stream->rest, kept + len);
    if (rest == NULL)
        return false;
    memcpy(rest + kept, bytes, len);
    stream->rest = rest;
    stream->rest_len = kept + len;
    return start_writing(stream);
}

enum stream_written stream_write(struct stream *stream, const void *bytes, size_t len)
{
    ssize_t sent = 0;

    if (stream->kind != NULL)
        return stream->kind->write(stream->carried, bytes, len);
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
    return stream->rest_len - stream->rest_at;
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
    return stream->kind != NULL ? stream->kind->socket(stream->carried) : stream->fd;
}

bool stream_is_secure(const struct stream *stream)
{
    return stream->kind != NULL;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    stop_writing(stream);
    if (stream->kind != NULL) {
        stream->kind->free(stream->carried);
    } else {
        stream_want_input(stream, false);
        (void)close(stream->fd); /* what was written is the kernel's */
    }
    free(stream);
}
