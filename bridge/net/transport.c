#include "net/transport.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/heartbeat.h"
#include "base/log.h"
#include "base/loop.h"
#include "net/addresses.h"
#include "net/carrier.h"
#include "net/conn_base.h"
#include "net/first_bytes.h"
#include "net/http_conn.h"
#include "net/poller.h"
#include "net/stream.h"
#include "net/tls_carrier.h"
#include "net/ws_answer.h"
#include "net/ws_handshake.h"

/* The wheel. With 10,000 connections and 30 s between pings a tick has 83 of them, which is 1 ms in
 * one piece: so they are sent a few at a time, and everything else has its turn in between. Shorter
 * ticks did that, too, but each is a wake-up: 4.4 ms of CPU time a second at 58 ms, 3.5 at 250. */
#define TICKS_PER_INTERVAL 120
#define BEATS_AT_ONCE 16
#define TICK_MIN_MS 5
#define TICK_MAX_MS 250

static uint64_t tick_for(const struct transport_config *config)
{
    uint64_t shortest = config->heartbeat_ms;
    uint64_t tick;

    if (shortest == 0 || (config->sse_heartbeat_ms > 0 && config->sse_heartbeat_ms < shortest))
        shortest = config->sse_heartbeat_ms;
    if (shortest == 0 || (config->idle_timeout_ms > 0 && config->idle_timeout_ms < shortest))
        shortest = config->idle_timeout_ms;
    if (shortest == 0 || (config->finest_ms > 0 && config->finest_ms < shortest))
        shortest = config->finest_ms;
    if (shortest == 0)
        return TICK_MAX_MS;
    tick = shortest / TICKS_PER_INTERVAL;
    return tick < TICK_MIN_MS ? TICK_MIN_MS : tick > TICK_MAX_MS ? TICK_MAX_MS : tick;
}

static bool has_ended(const struct transport *transport)
{
    return !TAILQ_EMPTY(&transport->ended) || !TAILQ_EMPTY(&transport->http_ended);
}

static void end_some(void *ctx)
{
    struct transport *transport = ctx;

    conn_end_some(transport);
    http_conn_end_some(transport);
    if (has_ended(transport))
        loop_timer_set(transport->ended_timer, 0);
}

/* A timer that is set anew begins anew, also when its time has come: where somebody ends in each
 * turn it would never be called. */
void transport_end_soon(struct transport *transport)
{
    if (!has_ended(transport))
        loop_timer_set(transport->ended_timer, 0);
}

struct transport *transport_new(struct loop *loop, const struct transport_config *config)
{
    struct transport *transport = calloc(1, sizeof(*transport));

    if (transport == NULL)
        goto fail;
    transport->loop = loop;
    transport->config = *config;
    transport->texts.path = transport->path;
    if (transport->config.max_message_bytes > INT32_MAX)
        transport->config.max_message_bytes = INT32_MAX;
    TAILQ_INIT(&transport->all);
    TAILQ_INIT(&transport->ended);
    TAILQ_INIT(&transport->http);
    TAILQ_INIT(&transport->http_ended);
    TAILQ_INIT(&transport->first);
    TAILQ_INIT(&transport->answers);
    transport->config.addresses.proxies = config->forwarding.trust;
    transport->addresses = addresses_new(loop, &transport->config.addresses);
    transport->accept = ws_handshake_hash_new();
    transport->beats = heartbeat_new(loop, tick_for(config), BEATS_AT_ONCE, conn_due);
    transport->deadlines = heartbeat_new(loop, TICK_MAX_MS, HEARTBEAT_AT_ONCE, http_conn_due);
    transport->ended_timer = loop_timer_new(loop, end_some, transport);
    transport->answers_timer = loop_timer_new(loop, ws_answers_send, transport);
    transport->poller = poller_new(loop, stream_on_ready);
    if (transport->addresses == NULL || transport->accept == NULL || transport->beats == NULL ||
        transport->deadlines == NULL || transport->ended_timer == NULL ||
        transport->answers_timer == NULL || transport->poller == NULL)
        goto fail;
    if (config->tls.cert == NULL)
        return transport;
    transport->tls = tls_carrier_new(loop, &config->tls);
    transport->config.tls = (struct server_tls_config){0}; /* its text may go */
    if (transport->tls != NULL)
        return transport;
fail:
    log_error("transport_failed", "error", "connections cannot be carried");
    transport_free(transport);
    return NULL;
}

struct address *transport_let_in(struct transport *transport, const struct peer_address *peer)
{
    struct address *address = addresses_take(transport->addresses, peer);
    enum counter limit;

    if (transport->sockets >= transport->config.max_sockets)
        limit = COUNTER_SOCKETS_REFUSED;
    else if (address_is_crowded(address, CARRIER_BESIDES))
        limit = COUNTER_ADDRESS_CONNECTIONS;
    else if (address_try(address, 1) != 0)
        limit = COUNTER_ADDRESS_ATTEMPTS;
    else
        return address;
    address_limit_met(address, limit);
    address_release(address);
    return NULL;
}

static void open_plain(struct transport *transport, int fd, const struct peer_address *peer,
                       struct address *address, enum listen_door door)
{
    struct stream *stream = stream_new(transport->poller, fd, NULL, NULL);

    http_conn_open(transport, stream, peer, address, door);
}

/* No limit of clients is for these, and no client can have their places. */
static void adopt_operator(struct transport *transport, int fd, const struct peer_address *peer,
                           const struct listen_kind *kind)
{
    if (transport->operators >= CARRIER_OPERATORS_MAX) {
        counter_add(COUNTER_OPERATORS, 1);
        (void)close(fd); /* nothing was written to it */
    } else if (kind->tls) {
        first_bytes_open(transport, fd, peer, kind, NULL);
    } else {
        open_plain(transport, fd, peer, NULL, kind->door);
    }
}

void transport_adopt(void *ctx, int fd, const struct peer_address *peer,
                     const struct listen_kind *kind)
{
    struct transport *transport = ctx;
    struct address *address;

    if (kind->door != LISTEN_CLIENTS) {
        adopt_operator(transport, fd, peer, kind);
        return;
    }
    if (kind->proxy && transport->sockets < transport->config.max_sockets) {
        first_bytes_open(transport, fd, peer, kind, NULL); /* they say whose it is */
        return;
    }
    address = transport_let_in(transport, peer);
    if (address == NULL) {
        (void)close(fd); /* nothing was written to it */
    } else if (kind->tls) {
        first_bytes_open(transport, fd, peer, kind, address);
    } else {
        open_plain(transport, fd, peer, address, LISTEN_CLIENTS);
    }
}

size_t transport_count(const struct transport *transport)
{
    return transport->count;
}

size_t transport_stream_count(const struct transport *transport)
{
    return transport->streams;
}

size_t transport_asked_count(const struct transport *transport)
{
    return transport->asked;
}

size_t transport_socket_count(const struct transport *transport)
{
    return transport->sockets;
}

size_t transport_sockets_max(const struct transport *transport)
{
    return transport->config.max_sockets;
}

int transport_read_tls(struct transport *transport, const struct server_tls_config *config)
{
    return transport->tls == NULL || config->cert == NULL
               ? 0
               : tls_carrier_read(transport->tls, config);
}

void transport_take_tls(struct transport *transport)
{
    if (transport->tls != NULL)
        tls_carrier_take(transport->tls);
}

void transport_set_deflate(struct transport *transport, bool deflate)
{
    transport->config.deflate = deflate;
}

void transport_free(struct transport *transport)
{
    if (transport == NULL)
        return;
    while (!TAILQ_EMPTY(&transport->first))
        first_bytes_free(TAILQ_FIRST(&transport->first));
    http_conn_free_all(transport);
    conn_free_all(transport);
    tls_carrier_free(transport->tls);
    addresses_free(transport->addresses);
    ws_handshake_hash_free(transport->accept);
    heartbeat_free(transport->beats);
    heartbeat_free(transport->deadlines);
    poller_free(transport->poller);
    loop_timer_free(transport->ended_timer);
    loop_timer_free(transport->answers_timer);
    free(transport);
}
