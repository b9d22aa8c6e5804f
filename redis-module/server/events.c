/* events -- see events.h. */
#include "server/events.h"

#include <assert.h>

enum { LISTENERS_MAX = 16 };

static struct listener {
    uint64_t event;
    rm_event_fn fn;
} listeners[LISTENERS_MAX];
static size_t listener_count;

static void on_event(struct rm_ctx *ctx, struct rm_event event, uint64_t subevent, void *data)
{
    for (size_t i = 0; i < listener_count; i++)
        if (listeners[i].event == event.id)
            listeners[i].fn(ctx, event, subevent, data);
}

bool events_listen(struct rm_ctx *ctx, uint64_t event, rm_event_fn fn)
{
    assert(listener_count < LISTENERS_MAX);
    listeners[listener_count++] = (struct listener){event, fn};
    return rm_SubscribeToServerEvent(ctx, (struct rm_event){event, 1}, on_event) == RM_OK;
}
