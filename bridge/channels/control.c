#include "channels/control.h"

#include <stdlib.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "notify_wire.h"
#include "redis/resp.h"
#include "redis/subscription.h"
#include "wire/event.h"

struct control {
    struct loop *loop; /* borrowed */
    control_fn fn;
    void *ctx;
    struct subscription_set *set; /* of this one channel */
    struct subscription *sub;
    struct loop_timer *pause;
    bool paused, due;
};

static void read_anew(struct control *control)
{
    control->due = control->paused;
    if (control->paused)
        return;
    control->paused = true;
    loop_timer_set(control->pause, CONTROL_PAUSE_MS);
    control->fn(control->ctx, true);
}

static void on_pause_over(void *ctx)
{
    struct control *control = ctx;

    control->paused = false;
    if (control->due)
        read_anew(control);
}

/* What was told until now was not heard. */
static void on_held(void *owner)
{
    struct control *control = owner;

    control->fn(control->ctx, false);
}

static void on_lost(void *owner)
{
    (void)owner; /* so are all others */
}

static void on_refused(void *owner)
{
    (void)owner;
    log_error("redis_forbids", "channel", NOTIFY_CONTROL_CHANNEL, "text",
              "FLUSHDB and the like will not be noticed", "see", "docs/acl.md");
}

static void on_message(void *owner, struct notify_str payload)
{
    struct control *control = owner;

    if (!event_is_flushed(payload)) {
        counter_add(COUNTER_EVENTS_FOREIGN, 1);
        counter_add(COUNTER_DROPPED_FOREIGN, 1);
        return;
    }
    counter_add(COUNTER_FLUSHED, 1);
    log_info("flushed", "text", "everything is read anew");
    read_anew(control);
}

static const struct subscription_handlers handlers = {
    .on_held = on_held,
    .on_lost = on_lost,
    .on_refused = on_refused,
    .on_message = on_message,
};

struct control *control_new(struct loop *loop, control_fn fn, void *ctx)
{
    struct control *control = calloc(1, sizeof(*control));

    if (control == NULL)
        return NULL;
    *control = (struct control){.loop = loop, .fn = fn, .ctx = ctx};
    control->pause = loop_timer_new(loop, on_pause_over, control);
    control->set = subscription_set_new(loop, &handlers);
    if (control->set != NULL)
        control->sub = subscription_want(control->set, NOTIFY_STR(NOTIFY_CONTROL_CHANNEL), control);
    if (control->pause != NULL && control->sub != NULL)
        return control;
    control_free(control);
    return NULL;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    loop_timer_free(control->pause);
    subscription_set_free(control->set);
    free(control);
}

void control_up(struct control *control, struct redis_link *link)
{
    subscription_retry(control->set, control->sub); /* another server may let us */
    subscription_set_up(control->set, link);
}

void control_down(struct control *control)
{
    subscription_set_down(control->set);
}

bool control_push(struct control *control, const struct resp *push)
{
    struct notify_str channel = push->len >= 3 ? resp_str(push->items[1]) : (struct notify_str){0};

    if (!notify_str_eq(channel, NOTIFY_STR(NOTIFY_CONTROL_CHANNEL)))
        return false;
    subscription_set_push(control->set, push);
    return true;
}
