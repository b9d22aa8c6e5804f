/* crowd -- a swarm that follows a log, and the books about it; see crowd.h. */
#include "crowd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "message.h"
#include "packets.h"
#include "proc.h"

#define POLL_MS 50
#define QUESTION NOTIFY_STR("420[\"ping\",{}]")
#define NS_PER_MS UINT64_C(1000000)

static void path_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    const struct crowd *crowd = ctx;
    int len = snprintf(out, cap, "/ws/c%u?user=u%u", client, client);

    if (crowd->group > 0)
        (void)snprintf(out + len, cap - (size_t)len, "&topics=g%u", client / crowd->group);
}

static void stream_path_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    (void)ctx;
    (void)snprintf(out, cap, "/api/v1/notifications/stream?session_id=c%u&user=u%u", client,
                   client);
}

static void socketio_path_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    (void)ctx;
    (void)snprintf(out, cap, "/socket.io/?EIO=4&transport=websocket&user=u%u", client);
}

static void query_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    (void)ctx;
    (void)snprintf(out, cap, "user=u%u", client);
}

static void on_arrival(struct crowd *crowd, uint32_t client, struct notify_str id, size_t bytes)
{
    uint64_t number = ledger_received(&crowd->ledger, client, id);
    uint32_t *arrivals = &crowd->arrivals[number % CROWD_IN_FLIGHT_MAX];

    if (number > crowd->sent)
        bench_die("client %u got message %" PRIu64 " of %" PRIu64, client, number, crowd->sent);
    crowd->payload_bytes += bytes;
    crowd->payloads++;
    if (++*arrivals == crowd->clients) {
        *arrivals = 0;
        crowd->arrived++;
    }
}

static void on_text(void *ctx, uint32_t client, const char *bytes, size_t len)
{
    struct crowd *crowd = ctx;
    struct notify_str text = notify_str_of(bytes, len), id;

    if (message_entry_id(text, NOTIFY_STR(CROWD_LOG), &id)) {
        on_arrival(crowd, client, id, len);
        return;
    }
    if (message_has_type(text, NOTIFY_STR("connection")))
        crowd->greeted++;
    if (crowd->on_other != NULL)
        crowd->on_other(crowd->on_other_ctx, client, text);
}

static void say(struct crowd *crowd, uint32_t client, struct notify_str packet)
{
    if (crowd->pollers != NULL)
        pollers_say(crowd->pollers, client, packet.ptr, packet.len);
    else
        swarm_send(crowd->swarm, client, packet.ptr, packet.len);
}

/* An event of Socket.IO: the greeting, or what was sent to the log. */
static void on_event(struct crowd *crowd, uint32_t client, const struct packet *event, size_t bytes)
{
    struct notify_str id;

    if (packet_entry_id(event, NOTIFY_STR(CROWD_LOG), &id))
        on_arrival(crowd, client, id, bytes);
    else if (notify_str_eq(event->name, NOTIFY_STR("connected")))
        crowd->greeted++;
    else
        bench_die("client %u: unexpected event %.*s", client, (int)event->name.len,
                  event->name.ptr);
}

static void answer_open(struct crowd *crowd, uint32_t client)
{
    say(crowd, client, NOTIFY_STR("40"));
}

static void answer_ping(struct crowd *crowd, uint32_t client)
{
    say(crowd, client, NOTIFY_STR("3"));
    crowd->heartbeats++;
}

/* Asks again as long as more is to be asked. */
static void take_ack(struct crowd *crowd, uint32_t client)
{
    crowd->acks++;
    if (crowd->asks == 0)
        return;
    crowd->asks--;
    say(crowd, client, QUESTION);
}

static void take_nothing(struct crowd *crowd, uint32_t client)
{
    (void)crowd;
    (void)client;
}

/* What is done about a packet that is no event. */
static void (*const answers[])(struct crowd *crowd, uint32_t client) = {
    [PACKET_OPEN] = answer_open,  [PACKET_PING] = answer_ping, [PACKET_CONNECTED] = take_nothing,
    [PACKET_NOOP] = take_nothing, [PACKET_ACK] = take_ack,     [PACKET_UNKNOWN] = NULL,
};

static void on_packet(void *ctx, uint32_t client, const char *bytes, size_t len)
{
    struct crowd *crowd = ctx;
    const struct packet packet = packet_read(notify_str_of(bytes, len));

    if (packet.kind == PACKET_EVENT)
        on_event(crowd, client, &packet, len);
    else if (answers[packet.kind] != NULL)
        answers[packet.kind](crowd, client);
    else
        bench_die("client %u: unexpected packet %.*s", client, (int)len, bytes);
}

static void on_ping(void *ctx)
{
    struct crowd *crowd = ctx;

    crowd->heartbeats++;
}

/* How each of them is spoken. */
static const struct {
    enum swarm_carrier carrier;
    void (*path_of)(void *ctx, uint32_t client, char *out, size_t cap);
    void (*on_text)(void *ctx, uint32_t client, const char *text, size_t len);
} speeches[] = {
    [CROWD_WEBSOCKET] = {SWARM_WEBSOCKET, path_of, on_text},
    [CROWD_DEFLATED] = {SWARM_DEFLATED, path_of, on_text},
    [CROWD_EVENTS] = {SWARM_EVENTS, stream_path_of, on_text},
    [CROWD_SOCKETIO] = {SWARM_WEBSOCKET, socketio_path_of, on_packet},
};

static void make_pollers(struct crowd *crowd, int port)
{
    crowd->pollers =
        pollers_new(port, crowd->clients, (struct pollers_handlers){query_of, on_packet, crowd});
}

static void make_swarm(struct crowd *crowd, int port)
{
    const struct swarm_handlers handlers = {.carrier = speeches[crowd->speech].carrier,
                                            .path_of = speeches[crowd->speech].path_of,
                                            .on_text = speeches[crowd->speech].on_text,
                                            .on_ping = on_ping,
                                            .ctx = crowd};

    crowd->swarm = swarm_new(port, crowd->clients, handlers);
}

void crowd_init(struct crowd *crowd, uint32_t clients, int bridge_port, pid_t bridge_pid,
                int redis_port)
{
    crowd_init_over(CROWD_WEBSOCKET, crowd, clients, bridge_port, bridge_pid, redis_port);
}

void crowd_init_over(enum crowd_speech speech, struct crowd *crowd, uint32_t clients,
                     int bridge_port, pid_t bridge_pid, int redis_port)
{
    *crowd = (struct crowd){
        .speech = speech, .clients = clients, .channels = clients + 1, .bridge_pid = bridge_pid};
    proc_need_descriptors((size_t)clients * (speech == CROWD_POLLS ? 2 : 1) + 64);
    resp_open(&crowd->redis, redis_port);
    ledger_init(&crowd->ledger, clients);
    (speech == CROWD_POLLS ? make_pollers : make_swarm)(crowd, bridge_port);
}

void crowd_release(struct crowd *crowd)
{
    swarm_free(crowd->swarm);
    pollers_free(crowd->pollers);
    ledger_release(&crowd->ledger);
    resp_close(&crowd->redis);
}

void crowd_group(struct crowd *crowd, uint32_t clients)
{
    crowd->group = clients;
    crowd->channels += (crowd->clients + clients - 1) / clients;
}

void crowd_poll_once(struct crowd *crowd, int timeout_ms)
{
    if (crowd->pollers != NULL)
        pollers_poll(crowd->pollers, timeout_ms);
    else
        swarm_poll(crowd->swarm, timeout_ms);
}

void crowd_watch(struct crowd *crowd, int fd, void (*fn)(void *ctx), void *ctx)
{
    if (crowd->pollers != NULL)
        pollers_watch(crowd->pollers, fd, fn, ctx);
    else
        swarm_watch(crowd->swarm, fd, fn, ctx);
}

uint64_t crowd_received_bytes(const struct crowd *crowd)
{
    return crowd->pollers != NULL ? pollers_received_bytes(crowd->pollers)
                                  : swarm_received_bytes(crowd->swarm);
}

static uint32_t open_count(const struct crowd *crowd)
{
    return crowd->pollers != NULL ? pollers_open_count(crowd->pollers)
                                  : swarm_open_count(crowd->swarm);
}

void crowd_poll(struct crowd *crowd, uint64_t started_ns, const char *what)
{
    crowd_poll_once(crowd, POLL_MS);
    if (bench_now_ns() - started_ns > CROWD_TIMEOUT_MS * NS_PER_MS)
        bench_die("timeout: %s (%u open, %u greeted, %" PRIu64 " messages sent, %" PRIu64
                  " reached everyone)",
                  what, open_count(crowd), crowd->greeted, crowd->sent, crowd->arrived);
}

uint64_t crowd_connect(struct crowd *crowd)
{
    uint64_t started = bench_now_ns();

    crowd->greeted = 0;
    if (crowd->bridge_descriptors == 0)
        crowd->bridge_descriptors = proc_family_descriptors(crowd->bridge_pid);
    if (crowd->pollers != NULL)
        pollers_connect(crowd->pollers);
    else
        swarm_connect(crowd->swarm);
    while (crowd->greeted < crowd->clients)
        crowd_poll(crowd, started, "not all clients are greeted");
    return bench_now_ns() - started;
}

static void poll_now(void *ctx)
{
    struct crowd *crowd = ctx;

    crowd_poll_once(crowd, 0);
}

void crowd_wait_following(struct crowd *crowd)
{
    uint64_t started = bench_now_ns();

    while (resp_info_number(&crowd->redis, "stats", "pubsub_channels:", 0) < crowd->channels)
        crowd_poll(crowd, started, "not all channels are subscribed");
    proc_wait_idle(crowd->bridge_pid, CROWD_TIMEOUT_MS, poll_now, crowd);
}

void crowd_drop(struct crowd *crowd)
{
    if (crowd->pollers != NULL)
        pollers_drop(crowd->pollers);
    else
        swarm_drop(crowd->swarm);
    proc_wait_closed(crowd->bridge_pid, crowd->bridge_descriptors, CROWD_TIMEOUT_MS);
    proc_wait_idle(crowd->bridge_pid, CROWD_TIMEOUT_MS, NULL, NULL);
}

void crowd_send(struct crowd *crowd, const struct resp_text *command, size_t count)
{
    struct resp_text all = {NULL, 0, 0};

    if (crowd->sent - crowd->arrived + count > CROWD_IN_FLIGHT_MAX)
        bench_die("more than %d messages in flight", CROWD_IN_FLIGHT_MAX);
    crowd->sent += count; /* before the first can arrive */
    for (size_t i = 0; i < count; i++)
        resp_text_append(&all, command->ptr, command->len);
    resp_send(&crowd->redis, all.ptr, all.len);
    resp_text_release(&all);
}

/* The answers to those that have been sent and not been read yet: they came before the messages. */
static void take_ids(struct crowd *crowd)
{
    while (crowd->ledger.sent.count < crowd->sent) {
        struct notify_str reply = resp_next(&crowd->redis);
        if (reply.ptr[0] == '-')
            bench_die("Redis says: %.*s", (int)(reply.len - 2), reply.ptr);
        struct notify_str id = resp_reply_text(reply);
        ledger_sent(&crowd->ledger, id);
        (void)snprintf(crowd->last_id, sizeof(crowd->last_id), "%.*s", (int)id.len, id.ptr);
    }
}

void crowd_wait(struct crowd *crowd, uint64_t in_flight)
{
    uint64_t started = bench_now_ns();

    while (crowd->sent - crowd->arrived > in_flight)
        crowd_poll(crowd, started, "a message has not reached everyone");
    take_ids(crowd);
}

void crowd_broadcast(struct crowd *crowd, const struct resp_text *command, uint64_t count,
                     uint64_t window)
{
    while (count > 0) {
        uint64_t room = window - (crowd->sent - crowd->arrived);
        uint64_t batch = room < count ? room : count;
        crowd_send(crowd, command, (size_t)batch);
        count -= batch;
        crowd_wait(crowd, window - 1);
    }
    crowd_wait(crowd, 0);
}

void crowd_ask(struct crowd *crowd, uint64_t count)
{
    uint64_t started = bench_now_ns(), wanted = crowd->acks + count * crowd->clients;

    crowd->asks = (count - 1) * crowd->clients;
    for (uint32_t i = 0; i < crowd->clients; i++)
        say(crowd, i, QUESTION);
    while (crowd->acks < wanted)
        crowd_poll(crowd, started, "an event has not been acknowledged");
}

void crowd_check(struct crowd *crowd, const char *when)
{
    crowd_wait(crowd, 0);
    ledger_check(&crowd->ledger, when);
}
