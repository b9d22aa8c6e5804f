/* socketio -- Socket.IO 5 over Engine.IO 4 for whoever has an application: namespaces, and the
 * sockets of those who have joined them.
 *
 * A client's session (engineio.h) carries one socket for each namespace that it has joined. To the
 * layers above a socket is a struct conn (net/conn.h): what is written to it are whole unmasked
 * WebSocket text frames, each one Engine.IO message of the namespace "/", such as 42["alert",{…}].
 * On a WebSocket such a frame goes to the kernel as it is; for another namespace, and for a poll,
 * it is said anew.
 *
 * What a socket hears, by its peer's handlers: on_packet() (events and acknowledgements, with all
 * of their attachments), on_drained(), on_closed(), and over polling on_park().
 *
 * conn_close() of a socket, by its code: one that means that the client shall stay away refuses
 * (44{"message":reason,"data":{"code":…}}) before socketio_accept(), and afterwards tells the event
 * "disconnected" {"reason"} and disconnects (41); one that passes ends the whole session, for
 * official clients come back only then, after telling "disconnected" if it was accepted. */
#ifndef SOCKETIO_H
#define SOCKETIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "notify_str.h"
#include "socketio/engineio.h"

struct conn;
struct socketio;
struct socketio_packet;

#define SOCKETIO_NAMESPACES_MAX 16
#define SOCKETIO_ID_LEN 20 /* characters of a sid or pid */
/* What is kept of a packet whose attachments have not all come: bytes. */
#define SOCKETIO_KEPT_MAX(max_payload) (2 * (max_payload))

struct socketio_handlers {
    /* The head of a handshake, and of each GET that goes on with a session: 0, or the status that
     * refuses it (403, 503…). *ret_seed: what of the request is needed at CONNECT, owned by the
     * session and given back to on_forget. */
    int (*on_handshake)(void *ctx, const struct http_request *req, void **ret_seed);
    void (*on_forget)(void *ctx, void *seed);
    bool (*on_compare)(const void *seed, const void *other); /* as in engineio.h */
    /* Somebody wants to join: sets a peer, and sooner or later calls socketio_accept() or
     * conn_close(). auth: a raw JSON object, or empty. state: what on_park gave, when it comes back
     * between two polls (it is accepted already, and had no other end); empty: it comes anew. Both
     * borrowed for the call. seed: of the session, or NULL once it was given back. */
    void (*on_connect)(void *ctx, struct conn *conn, struct notify_str auth,
                       struct notify_str state, void *seed);
};

struct socketio_config {
    struct engineio_config engine; /* its handlers are set by socketio_new() */
    struct socketio_handlers handlers;
    void *ctx;
    /* Which there are, "/" among them if it is meant; borrowed for life. */
    const struct notify_str *namespaces;
    size_t namespace_count;
    uint64_t connect_timeout_ms; /* a session in which nothing was joined by then is closed */
};

/* NULL: out of memory. */
struct socketio *socketio_new(const struct socketio_config *config);
/* After the transport, whose connections it serves, and before the loop. NULL is fine. */
void socketio_free(struct socketio *socketio);
/* To be handed requests and upgrades to: engineio_plan() and the others. */
struct engineio *socketio_engine(const struct socketio *socketio);

/* A new id: SOCKETIO_ID_LEN characters that nobody can guess, and a NUL. */
void socketio_make_id(char out[SOCKETIO_ID_LEN + 1]);

/* Says 40{"sid":…}; what is written afterwards goes out behind it. pid: of connection state
 * recovery, or empty. */
void socketio_accept(struct conn *conn, struct notify_str sid, struct notify_str pid);
bool socketio_is_accepted(const struct conn *conn);
/* Does it go over polling, so that on_park may come? May become false, never true. */
bool socketio_may_park(const struct conn *conn);
/* What is not stored may have passed it by between two polls. */
bool socketio_missed(const struct conn *conn);
/* Redis has lost how far it had come: its client has had more than it goes on from, perhaps. */
bool socketio_is_set_back(const struct conn *conn);
/* Its namespace: "/", "/admin". */
struct notify_str socketio_namespace(const struct conn *conn);
/* Says an event or an acknowledgement: type, id and attachments of head, and JSON, which is raw, of
 * parts; then as many binary messages as it has attachments. What the socket does not take waits in
 * this process, and nothing more is read of the client before it has gone. */
enum conn_write socketio_say(struct conn *conn, const struct socketio_packet *head, size_t count,
                             const struct notify_str *json, const struct notify_str *attachments);
/* Something is still to be said that was begun (a greeting, say): a poll is not answered before
 * that, a second at the most. Such are also events with an acknowledgement that has not been
 * written yet. */
void socketio_hold(struct conn *conn, bool hold);

#endif
