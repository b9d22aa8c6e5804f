#include "handover.h"

#include <errno.h>
#include <stddef.h>

#include "base/loop.h"
#include "ending.h"
#include "front_door.h"
#include "net/handed.h"
#include "takeover.h"
#include "worker.h"

static void give_up(struct handover *handover)
{
    takeover_free(handover->takeover);
    handover->takeover = NULL;
}

static void on_look(void *ctx)
{
    struct handover *handover = ctx;
    enum takeover_state state;

    if (handover->ending->door->leaving) {
        give_up(handover); /* who wants this bridge to end wants none in its place */
        return;
    }
    state = takeover_look(handover->takeover, loop_now_ms(handover->loop));
    if (state == TAKEOVER_BEGUN) {
        loop_timer_set(handover->timer, TAKEOVER_LOOK_MS);
        return;
    }
    if (state == TAKEOVER_READY)
        ending_handed_over(handover->ending);
    give_up(handover);
}

int handover_init(struct handover *handover)
{
    handover->timer = loop_timer_new(handover->loop, on_look, handover);
    return handover->timer == NULL ? -ENOMEM : 0;
}

void handover_release(struct handover *handover)
{
    give_up(handover);
    loop_timer_free(handover->timer);
}

void handover_on_signal(void *ctx)
{
    struct handover *handover = ctx;

    if (handover->takeover != NULL || handover->ending->door->leaving ||
        handed_is_takeover(handover->worker->handed)) {
        takeover_refuse("one is under way, or this bridge ends", loop_now_ms(handover->loop));
        return;
    }
    handover->takeover =
        takeover_new(handover->config, handover->worker->bound, loop_now_ms(handover->loop));
    if (handover->takeover != NULL)
        loop_timer_set(handover->timer, TAKEOVER_LOOK_MS);
}

void handover_on_reload(struct handover *handover)
{
    if (handover->takeover != NULL)
        takeover_reload(handover->takeover);
}
