/* Sessions of Engine.IO over polling, and from there over a WebSocket, against the little that they
 * are meant to be: whatever is done to one, in whatever order, what its client says is told to
 * whoever is above once and in order, and never while that takes no input; so is what is said to
 * the client. The store is poll_memory.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engineio_testing.h"
#include "random_testing.h"
#include "socketio/parcel.h"
#include "socketio/poll_memory.h"
#include "socketio/session.h"
#include "wire/engineio_packet.h"
#include "wire/http_head.h"
#include "wire/ws_frame.h"

#define INTERVAL_MS 1000
#define TIMEOUT_MS 900
#define INPUT_MAX 100000
#define PACKETS_MAX 16
#define FED_AT_ONCE 64 /* packets that a WebSocket takes in a turn of what was POSTed */

/* The model. */

struct model {
    struct engineio *engine;
    struct poll_memory *memory;
    char sid[ENGINEIO_SID_ROOM];
    struct session *session;        /* that is open just now; or NULL */
    unsigned opened, closed;        /* how often */
    unsigned sent, heard;           /* of the client's messages: by it, above */
    unsigned said, got;             /* of those to it: above, by it */
    unsigned turn, most_in_a_turn;  /* messages heard */
    bool paused, held, takes_pause; /* above; it pauses by itself now and then */
    bool owes_pong, upgraded;
    struct exchange *get; /* that is held; or NULL */
};

static struct model model;

/* Above. */

static int on_handshake(void *ctx, const struct http_request *req, void **ret_seed)
{
    (void)ctx;
    (void)req;
    *ret_seed = NULL;
    return 0;
}

static void on_forget(void *ctx, void *seed)
{
    (void)ctx;
    (void)seed;
}

static void say(unsigned count)
{
    char text[16];
    const struct notify_str packet = {text, 0};

    for (unsigned i = 0; i < count && model.session != NULL; i++) {
        struct notify_str one = packet;
        one.len = (size_t)snprintf(text, sizeof(text), "4s%u", model.said++);
        session_say(model.session, 1, &one);
    }
}

static bool on_open(struct session *session, struct notify_str state)
{
    char text[32] = "";

    cr_assert_null(model.session, "one at a time");
    cr_assert_lt(state.len, sizeof(text));
    if (state.len > 0) {
        unsigned heard, said;
        memcpy(text, state.ptr, state.len);
        cr_assert_eq(sscanf(text, "%u %u", &heard, &said), 2);
        cr_assert(heard == model.heard && said == model.said);
    }
    model.session = session;
    model.opened++;
    model.held = false;
    model.paused = model.takes_pause && chance(30);
    if (model.paused)
        session_pause(session, true);
    if (chance(20))
        say(1 + (unsigned)below(20));
    return true;
}

static void on_text(struct session *session, struct notify_str text)
{
    char wanted[16];
    int len = snprintf(wanted, sizeof(wanted), "c%u", model.heard);

    cr_assert_eq(session, model.session);
    cr_assert_not(model.paused, "nothing is told to who takes nothing");
    cr_assert(notify_str_eq(text, notify_str_of(wanted, (size_t)len)), "%.*s, not %s",
              (int)text.len, text.ptr, wanted);
    model.heard++;
    model.turn++;
    if (chance(30))
        say(1);
    if (model.takes_pause && chance(10)) {
        model.paused = true;
        session_pause(session, true);
    }
}

static void on_nothing(struct session *session)
{
    (void)session;
}

static bool on_park(struct session *session, struct parcel *ret_state)
{
    char text[32];
    int len;

    cr_assert_eq(session, model.session);
    if (chance(20))
        say(1 + (unsigned)below(3)); /* its last words */
    len = snprintf(text, sizeof(text), "%u %u", model.heard, model.said);
    parcel_append(ret_state, notify_str_of(text, (size_t)len));
    return true;
}

static void on_closing(struct session *session, int code)
{
    (void)session;
    (void)code;
}

static void on_closed(struct session *session, int code)
{
    cr_assert_eq(session, model.session);
    cr_assert(code == CONN_CLOSE_PARKED || ws.opened, "nothing has ended it: %d", code);
    model.session = NULL;
    model.closed++;
}

/* Requests. */

static const struct http_head head = {.field_count = 0};

static struct exchange *request(const char *method, const char *body)
{
    static char queries[2][128];
    static unsigned number;
    char *query = queries[method[0] == 'G'];
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    cr_assert_not_null(exchange);
    (void)snprintf(query, sizeof(queries[0]), "EIO=4&transport=polling%s%s&t=%u",
                   model.sid[0] == '\0' ? "" : "&sid=", model.sid, ++number);
    exchange->req = (struct http_request){.method = notify_str_z(method),
                                          .path = NOTIFY_STR("/socket.io/"),
                                          .query = notify_str_z(query),
                                          .body = notify_str_z(body),
                                          .head = &head};
    engineio_request(model.engine, exchange);
    return exchange;
}

static void turn(void)
{
    model.turn = 0;
    engineio_testing_turn();
    if (model.turn > model.most_in_a_turn)
        model.most_in_a_turn = model.turn;
}

static void run(void)
{
    while (loop_testing_deferred_len > 0)
        turn();
}

/* What the client gets. */

static void get_packet(struct notify_str packet)
{
    char wanted[16];
    int len = snprintf(wanted, sizeof(wanted), "4s%u", model.got);

    if (notify_str_eq(packet, NOTIFY_STR("2"))) {
        model.owes_pong = true;
    } else if (!notify_str_eq(packet, NOTIFY_STR("6"))) {
        cr_assert(notify_str_eq(packet, notify_str_of(wanted, (size_t)len)), "%.*s, not %s",
                  (int)packet.len, packet.ptr, wanted);
        model.got++;
    }
}

static void look_at_get(void)
{
    struct exchange *get = model.get;
    struct engineio_walk walk;
    struct notify_str packet;
    unsigned count = 0;

    if (get == NULL || get->answers == 0)
        return;
    cr_assert_eq(get->answers, 1);
    cr_assert_eq(get->response.status, 200, "%s", get->body);
    walk = engineio_walk(notify_str_z(get->body));
    while (engineio_next(&walk, &packet)) {
        get_packet(packet);
        count++;
    }
    cr_assert_leq(count, PACKETS_MAX);
    free(get);
    model.get = NULL;
}

static void look_at_ws(void)
{
    struct notify_str rest = notify_str_of(ws.out, ws.len), packet;

    while (ws_frame_take(&rest, &packet))
        get_packet(packet);
    ws.len = 0;
}

/* What it does. */

static void step_get(void)
{
    if (model.get == NULL && !model.upgraded)
        model.get = request("GET", "");
}

static size_t write_message(char *out, size_t room)
{
    return (size_t)snprintf(out, room, "4c%u", model.sent++);
}

static void step_post(void)
{
    char body[1024] = "";
    size_t len = 0, count = 1 + below(20);
    struct exchange *post;

    if (model.upgraded)
        return;
    if (model.owes_pong)
        len = (size_t)snprintf(body, sizeof(body), "3\x1e");
    model.owes_pong = false;
    for (size_t i = 0; i < count; i++) {
        len += write_message(body + len, sizeof(body) - len);
        body[len++] = i + 1 < count ? '\x1e' : '\0';
    }
    post = request("POST", body);
    run();
    cr_assert(post->answers == 1 && post->response.status == 200, "%s", post->body);
    free(post);
}

static void step_say(void)
{
    say(1 + (unsigned)below(40));
}

static void step_pause(void)
{
    if (model.session == NULL)
        return;
    model.paused = !model.paused;
    session_pause(model.session, model.paused);
}

static void step_hold(void)
{
    if (model.session == NULL || model.upgraded)
        return;
    model.held = !model.held;
    session_hold(model.session, model.held ? 1 : -1);
}

static void step_time(void)
{
    if (!ws.opened)
        loop_testing_advance(1 + below(40));
}

static void step_turn(void)
{
    if (loop_testing_deferred_len > 0)
        turn();
}

static void step_busy(void)
{
    if (!model.upgraded)
        return;
    ws.conn.busy = !ws.conn.busy;
    if (!ws.conn.busy)
        ws.conn.handlers->on_drained(ws.conn.peer);
}

static void hear(const char *text)
{
    ws.conn.handlers->on_message(ws.conn.peer, notify_str_z(text));
}

/* As it is read from the WebSocket: nothing while that is paused, or busy. */
static void step_message(void)
{
    char text[16];

    if (!model.upgraded || ws.conn.paused || ws.conn.busy)
        return;
    (void)write_message(text, sizeof(text));
    hear(text);
}

static void upgrade(void)
{
    const struct notify_str wanted = NOTIFY_STR("3probe");
    struct http_request req = {.head = &head};
    struct notify_str rest, packet;
    char query[128];

    (void)snprintf(query, sizeof(query), "EIO=4&transport=websocket&sid=%s", model.sid);
    req.query = notify_str_z(query);
    engineio_testing_open();
    engineio_open(model.engine, &ws.conn, &req, NULL);
    run();
    hear("2probe");
    run();
    rest = notify_str_of(ws.out, ws.len);
    cr_assert(ws_frame_take(&rest, &packet) && notify_str_eq(packet, wanted));
    ws.len = 0;
    if (chance(50))
        step_post();
    if (model.held)
        step_hold();
    run();
    look_at_get();
    cr_assert_null(model.get, "it is answered when there is a probe");
    hear("5");
    if (chance(30)) /* it has taken too long just when it is done */
        ws.conn.handlers->on_beat(ws.conn.peer);
    model.upgraded = true;
    model.most_in_a_turn = 0;
    run();
    cr_assert_eq(ws.closed, 0);
}

/* One session. */

static void begin(bool takes_pause)
{
    const struct poll_memory_config config = {INTERVAL_MS, TIMEOUT_MS, INPUT_MAX, 2};
    struct engineio_config engine = {
        .loop = LOOP_TESTING,
        .ping_interval_ms = INTERVAL_MS,
        .ping_timeout_ms = TIMEOUT_MS,
        .upgrade_timeout_ms = 1000,
        .max_payload = INPUT_MAX,
        .handlers = {.on_handshake = on_handshake,
                     .on_forget = on_forget,
                     .on_open = on_open,
                     .on_text = on_text,
                     .on_drained = on_nothing,
                     .on_alarm = on_nothing,
                     .on_park = on_park,
                     .on_closing = on_closing,
                     .on_closed = on_closed},
    };
    struct exchange *handshake;

    model = (struct model){.takes_pause = takes_pause};
    ws.opened = false;
    model.memory = poll_memory_new(LOOP_TESTING, &config);
    engine.store = poll_memory_store(model.memory);
    model.engine = engineio_new(&engine);
    handshake = request("GET", "");
    run();
    cr_assert_eq(sscanf(handshake->body, "0{\"sid\":\"%20[^\"]", model.sid), 1);
    free(handshake);
}

/* All that is left comes. */
static void settle(void)
{
    model.takes_pause = false;
    for (int i = 0; i < 1000 && (model.heard < model.sent || model.got < model.said); i++) {
        if (model.paused && model.session != NULL)
            step_pause();
        if (model.held && model.session != NULL)
            step_hold();
        if (model.upgraded && ws.conn.busy)
            step_busy();
        step_get();
        run();
        look_at_get();
        look_at_ws();
        if (!model.upgraded && model.owes_pong)
            step_post();
    }
    cr_assert_eq(model.heard, model.sent);
    cr_assert_eq(model.got, model.said);
}

static void end(void)
{
    if (model.upgraded)
        engineio_testing_lose(CONN_CLOSE_NORMAL);
    ws.opened = true; /* what is held ends */
    engineio_free(model.engine);
    poll_memory_free(model.memory);
    run();
    free(model.get);
    cr_assert_eq(model.opened, model.closed);
}

static void (*const steps[])(void) = {step_get,  step_get,   step_get,     step_post,   step_say,
                                      step_hold, step_time,  step_time,    step_turn,   step_turn,
                                      step_busy, step_pause, step_message, step_message};

static void step(void)
{
    size_t which = below(sizeof(steps) / sizeof(steps[0]));

    if (steps[which] == step_pause && !model.takes_pause)
        return;
    if (model.owes_pong && !model.upgraded)
        step_post();
    steps[which]();
    look_at_get();
    look_at_ws();
}

static void live(uint64_t seed, bool takes_pause)
{
    random_begin(seed);
    begin(takes_pause);
    for (size_t i = below(60); i > 0; i--)
        step();
    if (chance(50)) {
        upgrade();
        for (size_t i = below(60); i > 0; i--)
            step();
    }
    settle();
    end();
}

Test(session_model, whatever_is_done_everything_comes_once_and_in_order)
{
    for (uint64_t seed = 0; seed < 3000; seed++)
        live(seed, false);
}

Test(session_model, whoever_takes_no_input_is_told_nothing_until_he_does)
{
    for (uint64_t seed = 0; seed < 3000; seed++)
        live(seed, true);
}

Test(session_model, what_was_posted_before_an_upgrade_is_taken_over_several_turns)
{
    random_begin(1);
    begin(false);
    for (int i = 0; i < 60; i++)
        step_post();
    upgrade();
    cr_assert_gt(model.heard, 2 * FED_AT_ONCE);
    cr_assert_eq(model.most_in_a_turn, FED_AT_ONCE);
    settle();
    end();
}
