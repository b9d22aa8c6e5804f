/* crowd -- a swarm that follows a log, and the books about it; see crowd.h. */
#include "crowd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "message.h"
#include "proc.h"

#define POLL_MS 50
#define NS_PER_MS UINT64_C(1000000)

static void path_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    (void)ctx;
    (void)snprintf(out, cap, "/ws/c%u?user=u%u", client, client);
}

static void stream_path_of(void *ctx, uint32_t client, char *out, size_t cap)
{
    (void)ctx;
    (void)snprintf(out, cap, "/api/v1/notifications/stream?session_id=c%u&user=u%u", client,
                   client);
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

void crowd_init(struct crowd *crowd, uint32_t clients, int bridge_port, pid_t bridge_pid,
                int redis_port)
{
    crowd_init_over(SWARM_WEBSOCKET, crowd, clients, bridge_port, bridge_pid, redis_port);
}

void crowd_init_over(enum swarm_carrier carrier, struct crowd *crowd, uint32_t clients,
                     int bridge_port, pid_t bridge_pid, int redis_port)
{
    const struct swarm_handlers handlers = {.carrier = carrier,
                                            .path_of =
                                                carrier == SWARM_EVENTS ? stream_path_of : path_of,
                                            .on_text = on_text,
                                            .ctx = crowd};

    *crowd = (struct crowd){.clients = clients, .bridge_pid = bridge_pid};
    proc_need_descriptors((size_t)clients + 64);
    resp_open(&crowd->redis, redis_port);
    ledger_init(&crowd->ledger, clients);
    crowd->swarm = swarm_new(bridge_port, clients, handlers);
}

void crowd_release(struct crowd *crowd)
{
    swarm_free(crowd->swarm);
    ledger_release(&crowd->ledger);
    resp_close(&crowd->redis);
}

void crowd_poll(struct crowd *crowd, uint64_t started_ns, const char *what)
{
    swarm_poll(crowd->swarm, POLL_MS);
    if (bench_now_ns() - started_ns > CROWD_TIMEOUT_MS * NS_PER_MS)
        bench_die("timeout: %s (%u open, %u greeted, %" PRIu64 " messages sent, %" PRIu64
                  " reached everyone)",
                  what, swarm_open_count(crowd->swarm), crowd->greeted, crowd->sent,
                  crowd->arrived);
}

uint64_t crowd_connect(struct crowd *crowd)
{
    uint64_t started = bench_now_ns();

    crowd->greeted = 0;
    swarm_connect(crowd->swarm);
    while (crowd->greeted < crowd->clients)
        crowd_poll(crowd, started, "not all clients are greeted");
    return bench_now_ns() - started;
}

static void poll_now(void *ctx)
{
    struct crowd *crowd = ctx;

    swarm_poll(crowd->swarm, 0);
}

void crowd_wait_following(struct crowd *crowd)
{
    uint64_t started = bench_now_ns(), wanted = (uint64_t)crowd->clients + 1;

    while (resp_info_number(&crowd->redis, "stats", "pubsub_channels:", 0) < wanted)
        crowd_poll(crowd, started, "not all channels are subscribed");
    proc_wait_idle(crowd->bridge_pid, CROWD_TIMEOUT_MS, poll_now, crowd);
}

void crowd_drop(struct crowd *crowd)
{
    swarm_drop(crowd->swarm);
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

void crowd_check(struct crowd *crowd, const char *when)
{
    crowd_wait(crowd, 0);
    ledger_check(&crowd->ledger, when);
}
