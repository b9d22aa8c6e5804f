#include "duty.h"

#include <errno.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/service.h"
#include "board.h"
#include "net/bound_set.h"
#include "net/handed.h"
#include "net/listener_set.h"
#include "net/transport.h"
#include "worker.h"

static struct listener_set *accept_for(struct duty *duty, unsigned number)
{
    return listener_set_new(duty->loop, duty->worker->bound, number, transport_adopt,
                            duty->transport);
}

/* Who would come to a worker that is away waits for nobody: its sockets are ours, too. What cannot
 * be had now is tried at the next tick. */
static void take_post(struct duty *duty, unsigned row)
{
    log_info("stands_in", "for", log_int(row));
    duty->posts[row].set = accept_for(duty, row);
}

static void leave_post(struct duty *duty, unsigned row)
{
    if (duty->posts[row].set == NULL)
        return;
    log_info("stood_in", "for", log_int(row));
    listener_set_free(duty->posts[row].set);
    duty->posts[row].set = NULL;
}

/* One that is only just being started is not away. */
static void look_at_post(struct duty *duty, unsigned row, uint64_t now_ms)
{
    struct duty_post *post = &duty->posts[row];
    bool mine = board_stand_in(duty->worker->board, row, now_ms) == (int)duty->worker->number;

    if (!mine)
        leave_post(duty, row);
    else if (post->missed && post->set == NULL)
        take_post(duty, row);
    post->missed = mine;
}

static void on_tick(void *ctx)
{
    struct duty *duty = ctx;
    uint64_t now_ms = loop_now_ms(duty->loop);

    counters_set_gauges();
    board_beat(duty->worker->board, duty->worker->number, now_ms);
    for (unsigned row = 0; duty->own != NULL && row < duty->worker->count; row++)
        look_at_post(duty, row, now_ms);
    loop_timer_set(duty->tick, BOARD_BEAT_MS);
}

static void on_beat(void *ctx)
{
    struct duty *duty = ctx;

    if (service_beat_every_ms() == 0)
        return; /* another process has its place */
    service_beat();
    loop_timer_set(duty->beat, service_beat_every_ms());
}

int duty_init(struct duty *duty)
{
    duty->tick = loop_timer_new(duty->loop, on_tick, duty);
    duty->beat = loop_timer_new(duty->loop, on_beat, duty);
    duty->posts = calloc(duty->worker->count, sizeof(struct duty_post));
    return duty->tick == NULL || duty->beat == NULL || duty->posts == NULL ? -ENOMEM : 0;
}

/* Where another bridge accepts instead nobody stands in for us. */
static void accept_nobody(struct duty *duty)
{
    for (unsigned row = 0; duty->posts != NULL && row < duty->worker->count; row++)
        leave_post(duty, row);
    listener_set_free(duty->own);
    duty->own = NULL;
    if (duty->worker != NULL && duty->worker->board != NULL && !duty->handed_over)
        board_serve(duty->worker->board, duty->worker->number, false);
}

void duty_release(struct duty *duty)
{
    accept_nobody(duty);
    free(duty->posts);
    loop_timer_free(duty->tick);
    loop_timer_free(duty->beat);
}

static int accept_all(struct duty *duty)
{
    duty->own = accept_for(duty, duty->worker->number);
    if (duty->own == NULL)
        return -ENOMEM;
    if (duty->worker->board != NULL)
        board_serve(duty->worker->board, duty->worker->number, true);
    return 0;
}

int duty_begin(struct duty *duty)
{
    if (!duty->worker->waits && accept_all(duty) != 0)
        return -ENOMEM;
    if (duty->worker->board != NULL)
        on_tick(duty);
    on_beat(duty);
    if (!duty->worker->waits)
        service_tell("READY=1\nSTATUS=waits for Redis");
    return 0;
}

int duty_on_ready(struct duty *duty)
{
    if (duty->stopped || duty->ready)
        return 0;
    if (duty->own == NULL && accept_all(duty) != 0)
        return -ENOMEM;
    duty->ready = true;
    if (handed_is_takeover(duty->worker->handed)) {
        bound_set_own(duty->worker->bound);
        handed_tell_ready(duty->worker->handed);
    }
    service_tell("READY=1\nSTATUS=serves clients");
    return 0;
}

uint64_t duty_begin_reload(struct duty *duty)
{
    service_tell_reloading();
    return duty->worker->board == NULL ? 0 : board_reloads_asked(duty->worker->board);
}

void duty_end_reload(struct duty *duty, uint64_t asked)
{
    if (duty->worker->board != NULL)
        board_reloaded(duty->worker->board, duty->worker->number, asked);
    service_tell(duty->ready ? "READY=1\nSTATUS=serves clients"
                             : "READY=1\nSTATUS=waits for Redis");
}

void duty_on_leaving(struct duty *duty)
{
    if (!duty->handed_over)
        service_tell("STOPPING=1\nSTATUS=ends");
}

void duty_stop(struct duty *duty)
{
    duty->stopped = true;
    accept_nobody(duty);
    if (duty->handed_over)
        bound_set_disown(duty->worker->bound);
    bound_set_close(duty->worker->bound);
}
