/* upgrade -- from polling to a WebSocket.
 *
 *     ASKED --there is such a session: 101--> OPENED
 *
 *     OPENED --2probe, marked in the box: 3probe--> PROBED --5--> TAKING --> a session's
 *        \------------ anything else, too late, gone ------------/
 *
 * As long as it is PROBED, GETs are answered at once, and the session stays where it is. */
#include "socketio/upgrade.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/conn.h"
#include "net/http.h"
#include "socketio/reply.h"
#include "socketio/session_ws.h"
#include "socketio/state.h"
#include "wire/engineio_packet.h"
#include "wire/frame.h"

enum upgrade_state {
    UPGRADE_ASKED,
    UPGRADE_OPENED,
    UPGRADE_PROBING,
    UPGRADE_PROBED,
    UPGRADE_TAKING
};

struct upgrade {
    struct engineio *engine;   /* borrowed */
    struct conn *conn;         /* borrowed; NULL: it has gone */
    struct exchange *exchange; /* while ASKED; NULL: it has gone */
    void *seed;                /* owned, until the session has it */
    TAILQ_ENTRY(upgrade) link;
    unsigned asked; /* calls of the store that have not been answered */
    enum upgrade_state state;
    char sid[ENGINEIO_SID_ROOM];
};

static const struct poll_store *store_of(const struct upgrade *upgrade)
{
    return &upgrade->engine->config.store;
}

static struct notify_str sid_of(const struct upgrade *upgrade)
{
    return notify_str_z(upgrade->sid);
}

static void upgrade_free(struct upgrade *upgrade)
{
    const struct engineio_config *config = &upgrade->engine->config;

    if (upgrade->seed != NULL)
        config->handlers.on_forget(config->ctx, upgrade->seed);
    TAILQ_REMOVE(&upgrade->engine->upgrades, upgrade, link);
    free(upgrade);
}

void upgrades_forget(struct engineio *engine)
{
    struct upgrade *upgrade, *next;

    for (upgrade = TAILQ_FIRST(&engine->upgrades); upgrade != NULL; upgrade = next) {
        next = TAILQ_NEXT(upgrade, link);
        upgrade_free(upgrade);
    }
}

static void refuse(struct upgrade *upgrade, const char *why)
{
    if (upgrade->conn != NULL)
        conn_close(upgrade->conn, CONN_CLOSE_NORMAL, why);
}

/* An answer of the store has come. False: the conn has gone meanwhile, and this with it. */
static bool goes_on(struct upgrade *upgrade)
{
    upgrade->asked--;
    if (upgrade->conn != NULL)
        return true;
    if (upgrade->asked == 0)
        upgrade_free(upgrade);
    return false;
}

/* The session is its from now on. */

static void say(struct conn *conn, struct notify_str text)
{
    struct frame *frame = frame_new_ws(1, &text);

    if (frame == NULL || conn_is_busy(conn))
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
    else
        (void)conn_write(conn, frame->data, frame->len); /* its death is told */
    (void)frame_unref(frame);
}

/* What did not go into the last answer comes first; then what the client has said by POSTs. */
static void go_on(struct session *session, const struct poll_taken *taken)
{
    struct session_state parts = {.over = {NULL, 0}};
    struct notify_str packet, left[2];
    struct engineio_walk walk;

    if (taken->state.len > 0 && !state_read(taken->state, &parts)) {
        session_close(session, CONN_CLOSE_RESTART, "come back", 0);
        return;
    }
    walk = engineio_walk(parts.over);
    while (parts.over.len > 0 && engineio_next(&walk, &packet))
        session_say(session, 1, &packet);
    if (!session->engine->config.handlers.on_open(session, parts.upper)) {
        session_close(session, CONN_CLOSE_RESTART, "come back", 0);
        return;
    }
    left[0] = parts.input;
    left[1] = taken->input;
    session_ws_leave(session, 2, left);
}

static void on_taken(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct upgrade *upgrade = ctx;
    struct conn *conn = upgrade->conn;
    struct session *session;

    if (!goes_on(upgrade))
        return; /* the client sees its WebSocket end, and comes back with a new session */
    if (result != POLL_DONE) {
        refuse(upgrade, "there is no such session");
        return;
    }
    session = session_new(upgrade->engine, upgrade->seed);
    upgrade->seed = NULL;
    if (session == NULL) {
        refuse(upgrade, "out of memory");
        return;
    }
    upgrade_free(upgrade);
    session->set_back = taken->set_back;
    session_ws_begin(session, conn);
    go_on(session, taken);
}

/* Packets, until then. */

static void take(struct upgrade *upgrade)
{
    const struct poll_taking taking = {.sid = sid_of(upgrade), .taker = POLL_FOR_UPGRADE};
    struct poll_taking own = taking;

    own.ctx = upgrade;
    upgrade->state = UPGRADE_TAKING;
    upgrade->asked++;
    conn_pause_input(upgrade->conn, true); /* what comes now is the session's */
    store_of(upgrade)->ops->take(store_of(upgrade)->store, &own, on_taken);
}

static void on_probed(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct upgrade *upgrade = ctx;

    (void)taken;
    if (!goes_on(upgrade))
        return;
    if (result == POLL_DONE && upgrade->state == UPGRADE_PROBING) {
        upgrade->state = UPGRADE_PROBED;
        say(upgrade->conn, NOTIFY_STR("3probe"));
        conn_pause_input(upgrade->conn, false);
    } else {
        upgrade->state = UPGRADE_OPENED; /* nothing is to be unmarked */
        refuse(upgrade, "this session cannot be upgraded");
    }
}

static void probe(struct upgrade *upgrade)
{
    upgrade->state = UPGRADE_PROBING;
    upgrade->asked++;
    conn_pause_input(upgrade->conn, true);
    store_of(upgrade)->ops->probe(store_of(upgrade)->store, sid_of(upgrade), on_probed, upgrade);
}

static void on_message(void *peer, struct notify_str text)
{
    struct upgrade *upgrade = peer;

    if (upgrade->state == UPGRADE_OPENED && notify_str_eq(text, NOTIFY_STR("2probe")))
        probe(upgrade);
    else if (upgrade->state == UPGRADE_PROBED && notify_str_eq(text, NOTIFY_STR("5")))
        take(upgrade);
    else
        refuse(upgrade, "a probe, or an upgrade, was to come");
}

static void on_drained(void *peer)
{
    (void)peer;
}

/* What is being taken is answered, or lost, in the store's own time: were the WebSocket closed
 * before, the session would be nobody's, and whose it is there until its leases end. */
static void on_beat(void *peer)
{
    struct upgrade *upgrade = peer;

    if (upgrade->state == UPGRADE_TAKING)
        conn_set_alarm(upgrade->conn, upgrade->engine->config.upgrade_timeout_ms);
    else
        refuse(upgrade, "the upgrade has taken too long");
}

static void on_closed(void *peer, int code)
{
    struct upgrade *upgrade = peer;

    (void)code;
    upgrade->conn = NULL;
    if (upgrade->state == UPGRADE_PROBING || upgrade->state == UPGRADE_PROBED)
        store_of(upgrade)->ops->unprobe(store_of(upgrade)->store, sid_of(upgrade));
    if (upgrade->asked == 0)
        upgrade_free(upgrade);
}

/* The beginning: one that can go on with nothing is closed without waiting for its probe. */
static void on_checked(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct upgrade *upgrade = ctx;

    (void)taken;
    if (goes_on(upgrade) && result != POLL_DONE)
        refuse(upgrade, "this session cannot be upgraded");
}

static void on_asked(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct upgrade *upgrade = ctx;
    struct exchange *exchange = upgrade->exchange;

    (void)taken;
    if (exchange != NULL && (result == POLL_DONE || result == POLL_UPGRADED))
        exchange_upgrade(exchange); /* one that is upgraded already is closed after that */
    else if (exchange != NULL)
        reply_refusal(upgrade->engine, exchange, result == POLL_AWAY ? ERROR_AWAY : ERROR_SID);
    upgrade_free(upgrade);
}

static void on_gone(void *ctx)
{
    ((struct upgrade *)ctx)->exchange = NULL;
}

void upgrade_request(struct engineio *engine, struct exchange *exchange)
{
    const struct poll_store *store = &engine->config.store;
    struct upgrade *upgrade = calloc(1, sizeof(*upgrade));
    int len = -1;

    if (upgrade != NULL && store->ops != NULL)
        len =
            http_request_arg(exchange_request(exchange), "sid", upgrade->sid, sizeof(upgrade->sid));
    if (len < 0) {
        free(upgrade);
        reply_refusal(engine, exchange, ERROR_SID);
        return;
    }
    upgrade->engine = engine;
    upgrade->exchange = exchange;
    TAILQ_INSERT_TAIL(&engine->upgrades, upgrade, link);
    exchange_on_gone(exchange, on_gone, upgrade);
    store->ops->check(store->store, sid_of(upgrade), on_asked, upgrade);
}

void upgrade_define(struct engineio *engine)
{
    engine->probe = (struct peer_handlers){.on_message = on_message,
                                           .on_drained = on_drained,
                                           .on_beat = on_beat,
                                           .on_closed = on_closed,
                                           .max_message_bytes = ENGINEIO_SID_ROOM,
                                           .beats_itself = true};
}

void upgrade_open(struct engineio *engine, struct conn *conn, const struct http_request *req)
{
    const struct engineio_config *config = &engine->config;
    struct upgrade *upgrade = calloc(1, sizeof(*upgrade));

    if (upgrade == NULL) {
        conn_close(conn, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    upgrade->engine = engine;
    upgrade->conn = conn;
    upgrade->state = UPGRADE_OPENED;
    TAILQ_INSERT_TAIL(&engine->upgrades, upgrade, link);
    conn_set_peer(conn, &engine->probe, upgrade);
    conn_set_alarm(conn, config->upgrade_timeout_ms);
    if (config->store.ops == NULL ||
        http_request_arg(req, "sid", upgrade->sid, sizeof(upgrade->sid)) < 0 ||
        config->handlers.on_handshake(config->ctx, req, &upgrade->seed) != 0) {
        refuse(upgrade, "this session cannot be upgraded");
        return;
    }
    upgrade->asked++;
    config->store.ops->check(config->store.store, sid_of(upgrade), on_checked, upgrade);
}
