#include "ending.h"

#include <errno.h>
#include <unistd.h>

#include <event2/util.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "clients/client.h"
#include "clients/inquiries.h"
#include "clients/sessions.h"
#include "duty.h"
#include "front_door.h"
#include "net/conn.h"
#include "net/transport.h"
#include "socketio/socketio.h"

#define GRACE_MS 1000   /* for who was accepted before another one took over */
#define PATIENCE_MS 500 /* with Redis, which is to say who else is there */

static void close_client(struct client *client, uint64_t spread_ms)
{
    uint32_t random;

    evutil_secure_rng_get_bytes(&random, sizeof(random));
    /* Not 0, by which nothing would be said. */
    sender_close_until(&client->sender, CONN_CLOSE_RESTART, "restarting",
                       1 + (uint32_t)(random % (spread_ms + 1)));
}

static void on_timeout(void *ctx)
{
    struct ending *ending = ctx;

    loop_stop(ending->loop);
}

static bool has_polls(const struct front_door *door)
{
    return door->socketio != NULL && engineio_has_polls(socketio_engine(door->socketio));
}

/* Do others go on with who polls? */
static bool hands_over(const struct front_door *door)
{
    return door->socketio != NULL && engineio_drains(socketio_engine(door->socketio));
}

void ending_on_closed(void *ctx)
{
    struct ending *ending = ctx;

    if (!ending->over && ending->door->closed && ending->told &&
        TAILQ_EMPTY(&ending->clients->all) && !has_polls(ending->door) &&
        transport_asked_count(ending->door->transport) == 0)
        loop_stop(ending->loop);
}

static void on_told(void *ctx)
{
    struct ending *ending = ctx;

    ending->told = true;
    ending_on_closed(ending);
}

static void close_clients(void *ctx)
{
    struct ending *ending = ctx;
    struct client *client;

    TAILQ_FOREACH(client, &ending->clients->all, all_link)
    {
        /* cppcheck-suppress uninitvar ; it does not know the system's TAILQ_FOREACH */
        client->parts = client->polls && hands_over(ending->door);
        if (!client->parts)
            close_client(client, ending->spread_ms);
    }
    if (ending->clients->sessions != NULL)
        sessions_drain(ending->clients->sessions, on_told, ending);
    else
        on_told(ending);
}

static void close_clients_soon(void *ctx)
{
    struct ending *ending = ctx;

    loop_timer_cancel(ending->patience);
    if (ending->closing) {
        ending_on_closed(ending);
        return;
    }
    ending->closing = true;
    loop_defer(ending->loop, close_clients, ending);
}

/* Polls that are held are answered first, and their sessions given back for others to go on with,
 * if Redis says in time that there are such, each when it can be; all other clients are told to
 * come back. */
static void begin(void *ctx)
{
    struct ending *ending = ctx;

    loop_timer_cancel(ending->delay);
    ending->door->closed = true;
    log_info("stopping", "clients", log_int((int64_t)transport_count(ending->door->transport)));
    duty_stop(ending->duty);
    loop_timer_set(ending->timer, ending->timeout_ms);
    inquiries_forget_all(ending->clients->inquiries);
    loop_timer_set(ending->patience, PATIENCE_MS);
    if (ending->door->socketio != NULL)
        engineio_drain(socketio_engine(ending->door->socketio), close_clients_soon, ending);
    else
        close_clients_soon(ending);
}

/* Its supervisor has died: nobody waits for this process any more, and others are to have its port.
 */
static bool is_orphan(const struct ending *ending)
{
    return ending->supervisor != 0 && getppid() != ending->supervisor;
}

/* Clients may come as before. */
static void leave(struct ending *ending)
{
    ending->door->leaving = true;
    counters_set_gauges(); /* not ready any more */
    duty_on_leaving(ending->duty);
    if (ending->delay_ms == 0 || is_orphan(ending)) {
        begin(ending);
        return;
    }
    log_info("leaving", "delay_ms", log_int((int64_t)ending->delay_ms));
    loop_timer_set(ending->delay, ending->delay_ms);
}

void ending_on_signal(void *ctx)
{
    struct ending *ending = ctx;

    if (!ending->door->leaving)
        leave(ending);
    else if (ending->supervisor == 0)
        loop_stop(ending->loop);
    else if (!ending->door->closed && is_orphan(ending))
        begin(ending);
}

void ending_handed_over(void *ctx)
{
    struct ending *ending = ctx;

    if (ending->door->closed)
        return;
    log_info("leaving", "delay_ms", log_int(GRACE_MS));
    ending->duty->handed_over = true;
    ending->door->handed_over = true;
    ending->door->leaving = true;
    duty_stop(ending->duty);
    loop_timer_set(ending->delay, GRACE_MS);
}

void ending_at_once(void *ctx)
{
    struct ending *ending = ctx;

    loop_stop(ending->loop);
}

int ending_init(struct ending *ending)
{
    ending->timer = loop_timer_new(ending->loop, on_timeout, ending);
    ending->patience = loop_timer_new(ending->loop, close_clients_soon, ending);
    ending->delay = loop_timer_new(ending->loop, begin, ending);
    return ending->timer == NULL || ending->patience == NULL || ending->delay == NULL ? -ENOMEM : 0;
}

void ending_release(struct ending *ending)
{
    loop_timer_free(ending->timer);
    loop_timer_free(ending->patience);
    loop_timer_free(ending->delay);
}
