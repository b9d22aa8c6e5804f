/* subscription_lanes -- links come and go, and slots move from one to another. */
#include "redis/slot.h"
#include "redis/subscription_private.h"

void subscription_set_lane_up(struct subscription_set *set, unsigned lane, struct redis_link *link)
{
    set->up += set->lanes[lane].link == NULL;
    set->lanes[lane].link = link;
    subscription_send_soon(set);
}

/* Whoever is told may want others, but those are in no lane yet, nor is anybody dropped. */
static void lose_in_bucket(struct subscription_set *set, unsigned lane, size_t bucket)
{
    struct hash_node *node, *next;

    for (node = hash_table_chain(&set->table, bucket); node != NULL; node = next) {
        struct subscription *sub = (struct subscription *)node;
        next = node->next;
        if (subscription_is_somewhere(sub) && sub->lane == lane)
            subscription_start_over(set, sub);
    }
}

/* Of many lanes that go down at once each is only looked for where its channels are. */
static void lose_all(struct subscription_set *set, unsigned lane)
{
    bool sorted = !subscription_is_sharded(set) && set->table.mask >= SUBSCRIPTION_CLASSES - 1;
    size_t classes = sorted ? SUBSCRIPTION_CLASSES : 1, step = sorted ? set->queue_count : 1;

    for (size_t class = sorted ? lane : 0; class < classes; class += step)
        for (size_t bucket = class; bucket <= set->table.mask; bucket += classes)
            lose_in_bucket(set, lane, bucket);
}

void subscription_set_lane_down(struct subscription_set *set, unsigned lane)
{
    set->up -= set->lanes[lane].link != NULL;
    set->lanes[lane].link = NULL;
    lose_all(set, lane);
}

void subscription_set_up(struct subscription_set *set, struct redis_link *link)
{
    subscription_set_lane_up(set, 0, link);
}

void subscription_set_down(struct subscription_set *set)
{
    subscription_set_lane_down(set, 0);
}

/* Routes. */

static unsigned lane_of(const struct subscription_set *set, unsigned slot)
{
    return set->routes.of_slot(set->routes.ctx, slot);
}

/* Those that are to be left are not at the new server. */
static void keep_held(struct subscription_set *set, struct subscription_slot_queue *queue)
{
    struct subscription *sub = TAILQ_FIRST(&queue->subs), *next;

    for (; sub != NULL; sub = next) {
        next = TAILQ_NEXT(sub, queue);
        if (sub->state == SUB_HELD)
            subscription_unqueue(set, sub);
    }
}

void subscription_set_reroute_slot(struct subscription_set *set, unsigned slot)
{
    struct subscription_slot_queue *queue = &set->queues[slot];
    unsigned lane = lane_of(set, slot);

    if (queue->lane == lane)
        return;
    keep_held(set, queue);
    subscription_make_unready(set, queue);
    queue->lane = (uint16_t)lane;
    subscription_make_ready(set, queue);
    set->moved = true;
    subscription_send_soon(set);
}

/* What it has, or is about to have, it has at the old server of its slot. */
static void leave_old_lane(struct subscription_set *set, struct subscription *sub)
{
    if (!subscription_is_somewhere(sub))
        return;
    if (sub->lane == subscription_queue_of(set, sub)->lane) {
        if (sub->state == SUB_HELD && sub->owner == NULL)
            subscription_enqueue(set, sub);
        return;
    }
    if (sub->state != SUB_HELD)
        LIST_REMOVE(sub, batch);
    subscription_start_over(set, sub);
}

void subscription_set_reroute(struct subscription_set *set)
{
    struct hash_node *node, *next;

    for (unsigned slot = 0; slot < SLOTS; slot++)
        subscription_set_reroute_slot(set, slot);
    if (!set->moved)
        return;
    set->moved = false;
    HASH_TABLE_FOREACH(node, next, &set->table)
    {
        leave_old_lane(set, (struct subscription *)node);
    }
}
