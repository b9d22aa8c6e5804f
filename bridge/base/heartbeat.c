/* heartbeat -- the timing wheel: slots of one tick each, a node in the slot of its deadline.
 *
 * A deadline further away than one turn of the wheel stays in its slot until its turn has come. The
 * timer is set for the next slot that has nodes, not for the next tick, so that ticks may be short
 * without costing anything where there is little to do. */
#include "base/heartbeat.h"

#include <stdlib.h>

#include "base/loop.h"

#define SLOTS 1024       /* a power of two */
#define NEVER UINT64_MAX /* as a tick */

struct heartbeat {
    struct loop *loop;                  /* borrowed */
    struct loop_timer *timer;           /* owned; runs while any node is set */
    struct heartbeat_node slots[SLOTS]; /* heads of circular lists */
    heartbeat_fn fn;
    uint64_t tick_ms;
    unsigned at_once;
    uint64_t done;  /* the last tick that was served */
    uint64_t armed; /* the tick that the timer is set for; 0 while slots are served */
    uint64_t count;
};

static void list_init(struct heartbeat_node *head)
{
    head->prev = head;
    head->next = head;
}

static void list_add(struct heartbeat_node *head, struct heartbeat_node *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static void list_remove(struct heartbeat_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = NULL;
    node->next = NULL;
}

/* Returns the tick that node is to be served in. */
static uint64_t put(struct heartbeat *heartbeat, struct heartbeat_node *node)
{
    /* Rounded up, so that a slot is served when all of it is due; never one already served. */
    uint64_t tick = (node->due_ms + heartbeat->tick_ms - 1) / heartbeat->tick_ms;

    if (tick <= heartbeat->done)
        tick = heartbeat->done + 1;
    list_add(&heartbeat->slots[tick % SLOTS], node);
    return tick;
}

static void arm(struct heartbeat *heartbeat, uint64_t tick)
{
    uint64_t now_ms = loop_now_ms(heartbeat->loop);
    uint64_t due_ms = tick * heartbeat->tick_ms;

    heartbeat->armed = tick;
    loop_timer_set(heartbeat->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* For the first slot that has nodes, even if their turn is a later one: then it is looked for
 * again. */
static void arm_next(struct heartbeat *heartbeat)
{
    uint64_t tick = heartbeat->done + 1;

    heartbeat->armed = NEVER;
    if (heartbeat->count == 0)
        return;
    while (heartbeat->slots[tick % SLOTS].next == &heartbeat->slots[tick % SLOTS])
        tick++;
    arm(heartbeat, tick);
}

/* The other way round from what serve_slot() begins with: what is left goes back to the front. */
static void give_back(struct heartbeat_node *slot, struct heartbeat_node *batch)
{
    batch->prev->next = slot->next;
    slot->next->prev = batch->prev;
    slot->next = batch->next;
    slot->next->prev = slot;
}

/* Works on the slot's nodes of this moment: what fn sets anew may land in the same slot. False:
 * *budget is used up before all were served. */
static bool serve_slot(struct heartbeat *heartbeat, struct heartbeat_node *slot, uint64_t now_ms,
                       unsigned *budget)
{
    struct heartbeat_node batch;

    if (slot->next == slot)
        return true;
    batch = *slot;
    batch.next->prev = &batch;
    batch.prev->next = &batch;
    list_init(slot);
    while (batch.next != &batch) {
        struct heartbeat_node *node = batch.next;

        if (node->due_ms > now_ms) {
            list_remove(node);
            list_add(slot, node);
            continue;
        }
        if (*budget == 0) {
            give_back(slot, &batch);
            return false;
        }
        list_remove(node);
        --*budget;
        heartbeat->count--;
        heartbeat->fn(node);
    }
    return true;
}

static void on_tick(void *ctx)
{
    struct heartbeat *heartbeat = ctx;
    uint64_t now_ms = loop_now_ms(heartbeat->loop);
    uint64_t now = now_ms / heartbeat->tick_ms;
    unsigned budget = heartbeat->at_once;

    if (now - heartbeat->done > SLOTS) /* long asleep: once round serves all */
        heartbeat->done = now - SLOTS;
    heartbeat->armed = 0;
    while (heartbeat->done < now) {
        heartbeat->done++;
        if (!serve_slot(heartbeat, &heartbeat->slots[heartbeat->done % SLOTS], now_ms, &budget)) {
            heartbeat->done--; /* the same slot once more, after the others had their turn */
            break;
        }
    }
    arm_next(heartbeat);
}

struct heartbeat *heartbeat_new_at(struct loop *loop, const char *place, uint64_t tick_ms,
                                   unsigned at_once, heartbeat_fn fn)
{
    struct heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));

    if (heartbeat == NULL)
        return NULL;
    heartbeat->loop = loop;
    heartbeat->tick_ms = tick_ms;
    heartbeat->at_once = at_once;
    heartbeat->fn = fn;
    heartbeat->armed = NEVER;
    heartbeat->timer = loop_timer_new_at(loop, place, on_tick, heartbeat);
    if (heartbeat->timer == NULL) {
        free(heartbeat);
        return NULL;
    }
    for (int i = 0; i < SLOTS; i++)
        list_init(&heartbeat->slots[i]);
    return heartbeat;
}

void heartbeat_free(struct heartbeat *heartbeat)
{
    if (heartbeat == NULL)
        return;
    loop_timer_free(heartbeat->timer);
    free(heartbeat);
}

void heartbeat_set(struct heartbeat *heartbeat, struct heartbeat_node *node, uint64_t after_ms)
{
    uint64_t now_ms = loop_now_ms(heartbeat->loop);
    uint64_t tick;

    heartbeat_cancel(heartbeat, node);
    if (heartbeat->count == 0 && heartbeat->armed != 0) {
        heartbeat->done = now_ms / heartbeat->tick_ms; /* it stood still: nothing is overdue */
        heartbeat->armed = NEVER;
    }
    node->due_ms = now_ms + after_ms;
    tick = put(heartbeat, node);
    heartbeat->count++;
    if (tick < heartbeat->armed)
        arm(heartbeat, tick);
}

void heartbeat_cancel(struct heartbeat *heartbeat, struct heartbeat_node *node)
{
    if (!heartbeat_is_set(node))
        return;
    list_remove(node);
    heartbeat->count--;
}

/* Multiples of the golden ratio spread evenly over the interval, however many there are. */
uint64_t heartbeat_spread(uint64_t nth, uint64_t interval_ms)
{
    uint64_t golden = UINT64_C(0x9e3779b97f4a7c15) * nth;

    return 1 + ((golden >> 32) * interval_ms >> 32);
}
