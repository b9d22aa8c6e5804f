#include "ending.h"

#include <errno.h>

#include <event2/util.h>

#include "base/log.h"
#include "base/loop.h"
#include "clients/client.h"
#include "clients/inquiries.h"
#include "clients/sessions.h"
#include "front_door.h"
#include "net/conn.h"
#include "net/listener_set.h"
#include "net/transport.h"

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

void ending_on_closed(void *ctx)
{
    struct ending *ending = ctx;

    if (ending->door->closed && ending->told && TAILQ_EMPTY(&ending->clients->all))
        loop_stop(ending->loop);
}

static void on_told(void *ctx)
{
    struct ending *ending = ctx;

    ending->told = true;
    ending_on_closed(ending);
}

static void begin(struct ending *ending)
{
    struct client *client;

    ending->door->closed = true;
    log_info("stopping", "clients", log_int((int64_t)transport_count(ending->door->transport)));
    listener_set_free(*ending->listeners);
    *ending->listeners = NULL;
    TAILQ_FOREACH(client, &ending->clients->all, all_link)
    {
        /* cppcheck-suppress uninitvar ; it does not know the system's TAILQ_FOREACH */
        close_client(client, ending->spread_ms);
    }
    loop_timer_set(ending->timer, ending->timeout_ms);
    inquiries_forget_all(ending->clients->inquiries);
    if (ending->clients->sessions != NULL)
        sessions_drain(ending->clients->sessions, on_told, ending);
    else
        on_told(ending);
}

void ending_on_signal(void *ctx)
{
    struct ending *ending = ctx;

    if (ending->door->closed)
        loop_stop(ending->loop);
    else
        begin(ending);
}

int ending_init(struct ending *ending)
{
    ending->timer = loop_timer_new(ending->loop, on_timeout, ending);
    return ending->timer == NULL ? -ENOMEM : 0;
}

void ending_release(struct ending *ending)
{
    loop_timer_free(ending->timer);
}
