/* Any deeds of one client of Socket.IO, over polling, a WebSocket, or from the one to the other, of
 * whoever is above, and of whoever writes into the store: nothing is told to who has gone, or
 * before it was let in, and nobody is forgotten.
 *
 * Input: deeds, each a byte that says which, a byte with a length, and so many bytes for it. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engineio_testing.h"
#include "socketio/poll_memory.h"
#include "socketio/socketio.h"
#include "wire/http_head.h"
#include "wire/socketio_packet.h"

#define INTERVAL_MS 1000
#define TIMEOUT_MS 900
#define MAX_PAYLOAD 2048
#define DEEDS_MAX 200
#define PEERS_MAX 64

/* Above: one of these for each socket. */
struct peer {
    struct conn *conn; /* NULL: it has gone */
    bool accepted;
};

static struct {
    struct socketio *socketio;
    struct poll_store store; /* poll_memory's, without what is changed on the way */
    struct poll_memory *memory;
    struct peer peers[PEERS_MAX];
    size_t count, seeds;
    struct exchange *get; /* of the client: the GET that is held */
    char sid[ENGINEIO_SID_ROOM];
    struct notify_str state; /* that is put in the place of the next one; or empty */
    uint8_t how;             /* what whoever is above does next */
} world;

static const struct http_head head = {.field_count = 0};

static int on_handshake(void *ctx, const struct http_request *req, void **ret_seed)
{
    (void)ctx;
    (void)req;
    if (world.how == 0xff)
        return 503;
    *ret_seed = malloc(1);
    world.seeds += *ret_seed != NULL;
    return 0;
}

static void on_forget(void *ctx, void *seed)
{
    (void)ctx;
    world.seeds--;
    free(seed);
}

static void on_packet(void *ctx, const struct socketio_packet *packet,
                      const struct notify_str *attachments)
{
    static const struct notify_str json = NOTIFY_STR_INIT("[1]");
    struct peer *peer = ctx;
    struct socketio_packet ack = {.type = SOCKETIO_ACK, .id = packet->id};

    assert(peer->conn != NULL && peer->accepted);
    for (unsigned i = 0; i < packet->attachments; i++)
        assert(attachments[i].len <= SOCKETIO_KEPT_MAX(MAX_PAYLOAD));
    if (world.how % 7 == 1)
        conn_pause_input(peer->conn, true);
    if (world.how % 7 == 2)
        conn_close(peer->conn, world.how & 8 ? CONN_CLOSE_KICKED : CONN_CLOSE_RESTART, "so");
    if (packet->id.len > 0 && world.how % 7 != 3)
        (void)socketio_say(peer->conn, &ack, 1, &json, NULL);
}

static void on_drained(void *ctx)
{
    assert(((struct peer *)ctx)->conn != NULL);
}

static char *on_park(void *ctx)
{
    static const struct notify_str json = NOTIFY_STR_INIT("[\"last\"]");
    const struct socketio_packet event = {.type = SOCKETIO_EVENT};
    struct peer *peer = ctx;

    assert(peer->conn != NULL && peer->accepted);
    if (world.how % 5 == 4)
        (void)socketio_say(peer->conn, &event, 1, &json, NULL);
    return world.how == 0xfe ? NULL : strdup("state");
}

static void on_closed(void *ctx, int code)
{
    struct peer *peer = ctx;

    (void)code;
    assert(peer->conn != NULL);
    peer->conn = NULL;
}

static const struct peer_handlers handlers = {
    .on_packet = on_packet, .on_drained = on_drained, .on_park = on_park, .on_closed = on_closed};

static void on_connect(void *ctx, struct conn *conn, struct notify_str auth,
                       struct notify_str state, void *seed)
{
    struct peer *peer = &world.peers[world.count];

    (void)ctx;
    (void)auth;
    (void)seed;
    if (world.count == PEERS_MAX || world.how == 0xfd)
        return; /* nobody wants it */
    world.count++;
    *peer = (struct peer){.conn = conn, .accepted = state.len > 0};
    conn_set_peer(conn, &handlers, peer);
    if (peer->accepted || world.how % 11 == 5)
        return; /* it goes on, or has to wait */
    if (world.how % 11 == 6) {
        conn_close(conn, CONN_CLOSE_UNAUTHORIZED, "no");
        return;
    }
    peer->accepted = true;
    socketio_accept(conn, NOTIFY_STR("abcdefghijklmnopqrst"), (struct notify_str){NULL, 0});
}

/* The store. */

static void give_back(void *store, struct poll_hold *hold, const struct poll_giving *giving,
                      poll_fn fn, void *ctx)
{
    struct poll_giving given = *giving;

    if (world.state.len > 0)
        given.state = world.state;
    world.state.len = 0;
    world.store.ops->give_back(store, hold, &given, fn, ctx);
}

static void begin(void)
{
    static const struct notify_str namespaces[] = {NOTIFY_STR_INIT("/"), NOTIFY_STR_INIT("/a")};
    static struct poll_store_ops ops;
    const struct poll_memory_config memory = {INTERVAL_MS, TIMEOUT_MS, 4 * MAX_PAYLOAD, 4};
    struct socketio_config config = {.engine = {.loop = LOOP_TESTING,
                                                .ping_interval_ms = INTERVAL_MS,
                                                .ping_timeout_ms = TIMEOUT_MS,
                                                .upgrade_timeout_ms = 1000,
                                                .max_payload = MAX_PAYLOAD},
                                     .handlers = {.on_handshake = on_handshake,
                                                  .on_forget = on_forget,
                                                  .on_connect = on_connect},
                                     .namespaces = namespaces,
                                     .namespace_count = 2,
                                     .connect_timeout_ms = 500};

    memset(&world, 0, sizeof(world));
    engineio_testing_lose(0);
    world.memory = poll_memory_new(LOOP_TESTING, &memory);
    world.store = poll_memory_store(world.memory);
    ops = *world.store.ops;
    ops.give_back = give_back;
    config.engine.store = (struct poll_store){&ops, world.store.store};
    world.socketio = socketio_new(&config);
    assert(world.socketio != NULL);
}

/* The client's deeds. */

static struct engineio *engine(void)
{
    return socketio_engine(world.socketio);
}

static struct exchange *request(const char *method, struct notify_str body)
{
    static char query[128];
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    assert(exchange != NULL);
    (void)snprintf(query, sizeof(query), "EIO=4&transport=polling%s%s&t=%u",
                   world.sid[0] == '\0' ? "" : "&sid=", world.sid, world.how % 4U);
    exchange->req = (struct http_request){
        .method = notify_str_z(method), .query = notify_str_z(query), .body = body, .head = &head};
    engineio_request(engine(), exchange);
    return exchange;
}

static void end_get(void)
{
    if (world.get == NULL)
        return;
    assert(world.get->answers <= 1);
    if (world.get->answers == 0)
        world.get->on_gone(world.get->ctx);
    free(world.get);
    world.get = NULL;
}

static void deed_handshake(struct notify_str text)
{
    struct exchange *handshake;

    (void)text;
    end_get();
    world.sid[0] = '\0';
    handshake = request("GET", (struct notify_str){NULL, 0});
    engineio_testing_run();
    assert(handshake->answers == 1);
    (void)sscanf(handshake->body, "0{\"sid\":\"%20[^\"]", world.sid);
    free(handshake);
}

static void deed_get(struct notify_str text)
{
    (void)text;
    if (world.sid[0] == '\0')
        return;
    if (world.get != NULL && world.get->answers > 0)
        end_get();
    if (world.get == NULL)
        world.get = request("GET", (struct notify_str){NULL, 0});
}

static void deed_second_get(struct notify_str text)
{
    struct exchange *second;

    (void)text;
    if (world.sid[0] == '\0')
        return;
    second = request("GET", (struct notify_str){NULL, 0});
    engineio_testing_run();
    if (second->answers == 0)
        second->on_gone(second->ctx);
    engineio_testing_run();
    free(second);
}

static void deed_post(struct notify_str text)
{
    struct exchange *post;

    if (world.sid[0] == '\0')
        return;
    post = request("POST", text);
    engineio_testing_run();
    assert(post->answers == 1);
    free(post);
}

static void deed_go(struct notify_str text)
{
    (void)text;
    end_get();
}

static void open_ws(const char *query)
{
    const struct http_request req = {.query = notify_str_z(query), .head = &head};
    struct conn_accept accept = {.arrival = NULL};

    engineio_testing_lose(CONN_CLOSE_ABNORMAL);
    engineio_testing_run();
    if (engineio_upgrade(engine(), &req, &accept) != 0)
        return;
    engineio_testing_open();
    engineio_open(engine(), &ws.conn, &req, accept.arrival);
}

static void deed_websocket(struct notify_str text)
{
    (void)text;
    open_ws("EIO=4&transport=websocket");
}

static void deed_upgrade(struct notify_str text)
{
    char query[128];

    (void)text;
    (void)snprintf(query, sizeof(query), "EIO=4&transport=websocket&sid=%s", world.sid);
    open_ws(query);
}

static bool ws_is_read(void)
{
    return ws.conn.state == CONN_OPEN && ws.conn.peer != NULL && !ws.conn.paused && !ws.conn.busy;
}

static void deed_text(struct notify_str text)
{
    if (ws_is_read())
        ws.conn.handlers->on_message(ws.conn.peer, text);
    ws.len = 0;
}

static void deed_bytes(struct notify_str text)
{
    if (ws_is_read() && ws.conn.handlers->on_binary != NULL)
        ws.conn.handlers->on_binary(ws.conn.peer, text);
    ws.len = 0;
}

static void deed_lose(struct notify_str text)
{
    engineio_testing_lose(text.len > 0 ? CONN_CLOSE_NORMAL : CONN_CLOSE_ABNORMAL);
}

static void deed_busy(struct notify_str text)
{
    (void)text;
    if (ws.conn.state != CONN_OPEN || ws.conn.peer == NULL)
        return;
    ws.conn.busy = !ws.conn.busy;
    if (ws.conn.busy && ws.conn.handlers->on_busy != NULL)
        ws.conn.handlers->on_busy(ws.conn.peer);
    if (!ws.conn.busy)
        ws.conn.handlers->on_drained(ws.conn.peer);
}

/* What others do. */

static void deed_time(struct notify_str text)
{
    loop_testing_advance(text.len > 0 ? (unsigned char)text.ptr[0] * 8U : 1);
    if (ws.conn.state == CONN_OPEN && ws.conn.peer != NULL)
        ws.conn.handlers->on_beat(ws.conn.peer);
}

static void deed_turn(struct notify_str text)
{
    if (text.len > 0)
        engineio_testing_turn();
    else
        engineio_testing_run();
}

static void deed_above(struct notify_str text)
{
    if (text.len > 0)
        world.how = (uint8_t)text.ptr[0];
}

static void deed_say(struct notify_str text)
{
    static const struct notify_str json = NOTIFY_STR_INIT("[\"x\",1]");
    struct socketio_packet event = {.type = SOCKETIO_EVENT};

    if (text.len % 2 == 1) {
        event.type = SOCKETIO_BINARY_EVENT;
        event.attachments = 1;
    }
    for (size_t i = 0; i < world.count; i++)
        if (world.peers[i].conn != NULL && world.peers[i].accepted)
            (void)socketio_say(world.peers[i].conn, &event, 1, &json, &text);
}

static void deed_change(struct notify_str text)
{
    unsigned what = text.len > 0 ? (unsigned char)text.ptr[0] : 0;
    struct peer *peer = &world.peers[what % PEERS_MAX];

    if (peer->conn == NULL)
        return;
    if (what >= 192)
        conn_close(peer->conn, CONN_CLOSE_TOO_SLOW, "slow");
    else if (what >= 128)
        conn_close(peer->conn, CONN_CLOSE_FORBIDDEN, "no");
    else if (what >= 64)
        socketio_hold(peer->conn, !peer->accepted);
    else
        conn_pause_input(peer->conn, false);
    if (what >= 64 && what < 128 && !peer->accepted) {
        peer->accepted = true;
        socketio_accept(peer->conn, NOTIFY_STR("abcdefghijklmnopqrst"),
                        NOTIFY_STR("abcdefghijklmnopqrst"));
    }
}

static void deed_state(struct notify_str text)
{
    world.state = text; /* the input outlives it */
}

static void (*const deeds[])(struct notify_str text) = {
    deed_handshake, deed_get,  deed_second_get, deed_post,  deed_go,   deed_websocket,
    deed_upgrade,   deed_text, deed_bytes,      deed_lose,  deed_busy, deed_time,
    deed_turn,      deed_say,  deed_change,     deed_state, deed_above};

static void end(void)
{
    world.how = 0;
    end_get();
    engineio_testing_lose(CONN_CLOSE_ABNORMAL);
    engineio_testing_run();
    socketio_free(world.socketio);
    poll_memory_free(world.memory);
    engineio_testing_run();
    for (size_t i = 0; i < world.count; i++)
        assert(world.peers[i].conn == NULL);
    assert(world.seeds == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str rest = notify_str_of((const char *)data, size);

    begin();
    for (int i = 0; i < DEEDS_MAX && rest.len >= 2; i++) {
        size_t len = (unsigned char)rest.ptr[1], which = (unsigned char)rest.ptr[0];
        if (len > rest.len - 2)
            len = rest.len - 2;
        deeds[which % (sizeof(deeds) / sizeof(deeds[0]))](notify_str_of(rest.ptr + 2, len));
        rest = notify_str_of(rest.ptr + 2 + len, rest.len - 2 - len);
    }
    end();
    return 0;
}
