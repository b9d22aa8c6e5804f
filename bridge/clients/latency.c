#include "clients/latency.h"

#include <stddef.h>

#include "base/histograms.h"
#include "base/loop.h"

#define SETTLE_AFTER 256      /* deliveries; a client takes some microseconds */
#define SYNC_EVERY_US 1000000 /* the wall clock may be set */

static void sync(struct latency *latency, uint64_t now_us)
{
    if (latency->synced_us != 0 && now_us - latency->synced_us < SYNC_EVERY_US)
        return;
    latency->synced_us = now_us;
    latency->offset_us = (int64_t)loop_wall_us() - (int64_t)now_us;
}

/* A clock of Redis that is ahead of ours makes no time negative. */
static void settle_slot(struct latency *latency, size_t i, uint64_t wall_us)
{
    const struct latency_slot *slot = &latency->slots[i];
    uint64_t then_us = slot->ms * 1000;

    histogram_add(HISTOGRAM_DELIVERY, wall_us > then_us ? wall_us - then_us : 0, slot->count);
    latency->used &= ~(UINT32_C(1) << i);
}

static uint64_t wall_us(struct latency *latency, uint64_t now_us)
{
    sync(latency, now_us);
    return (uint64_t)((int64_t)now_us + latency->offset_us);
}

void latency_on_turn_end(void *ctx, uint64_t now_us)
{
    struct latency *latency = ctx;
    uint64_t wall;

    if (latency->used == 0)
        return;
    wall = wall_us(latency, now_us);
    while (latency->used != 0)
        settle_slot(latency, (size_t)__builtin_ctz(latency->used), wall);
    latency->noted = 0;
}

void latency_note(struct latency *latency, uint64_t id_ms)
{
    size_t i = id_ms % LATENCY_SLOTS;
    struct latency_slot *slot = &latency->slots[i];
    uint32_t bit = UINT32_C(1) << i;

    if ((latency->used & bit) && slot->ms == id_ms) {
        slot->count++;
    } else {
        if (latency->used & bit)
            settle_slot(latency, i, wall_us(latency, loop_clock_us()));
        *slot = (struct latency_slot){id_ms, 1};
        latency->used |= bit;
    }
    if (++latency->noted >= SETTLE_AFTER)
        latency_on_turn_end(latency, loop_clock_us());
}
