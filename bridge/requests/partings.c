#include "requests/partings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/number.h"
#include "base/random_hex.h"
#include "clients/client.h"
#include "notify_wire.h"
#include "redis/resp.h"
#include "redis/turns.h"

#define RESUMED ":resumed:" /* between the name of the stream and the number of a place: a key */
#define RESUMED_SECS "3600" /* it is kept */
#define PLACES 16384        /* in all: whoever can resume, be it what nobody asked, can fill them */
#define KEY_MAX (NOTIFY_KEY_MAX + sizeof(RESUMED) + NUMBER_TEXT_MAX)
#define VALUE_LEN (INQUIRY_ID_TEXT + PARTING_HOLDER_LEN) /* a request's id, and who resumed it */

struct parting_item {
    TAILQ_ENTRY(parting_item) link;
    const struct client_shared *shared;
    uint64_t due_ms;
    struct asker *asker; /* while it waits */
    struct parting parting;
};

static struct notify_str key_for(const struct client_shared *shared, const struct parting *parting,
                                 char out[KEY_MAX])
{
    static const struct hash_key of_places = {0, 0}; /* the same in all bridges */
    uint64_t place = hash_bytes(&of_places, notify_str_z(parting->id)) % PLACES;
    int len = snprintf(out, KEY_MAX, "%s" RESUMED "%u", shared->agent->stream, (unsigned)place);

    return notify_str_of(out, (size_t)len);
}

static struct notify_str value_of(const struct parting *parting, char out[VALUE_LEN + 1])
{
    int len = snprintf(out, VALUE_LEN + 1, "%s%s", parting->id, parting->holder);

    return notify_str_of(out, (size_t)len);
}

/* Nobody is there if nobody has resumed it, or not for long. Redis away, the right lacking, or
 * another request in its place: then it is better that an agent works in vain than that somebody
 * waits in vain. */
static bool is_held_by(const struct parting *parting, const struct resp *reply)
{
    char value[VALUE_LEN + 1];

    if (reply == NULL || reply->kind == RESP_ERROR)
        return false;
    return reply->kind == RESP_NIL || notify_str_eq(resp_str(reply), value_of(parting, value));
}

static void on_holder(void *ctx, const struct resp *reply)
{
    struct parting_item *item = ctx;
    const struct parting *parting = &item->parting;

    if (is_held_by(parting, reply))
        agent_cancel(item->shared, parting->entry, parting->id);
    free(item);
}

/* Takes item over. */
static void decide(struct parting_item *item)
{
    char key[KEY_MAX];
    const struct notify_str words[] = {NOTIFY_STR("GET"),
                                       key_for(item->shared, &item->parting, key)};
    const struct turn turn = {
        .argc = 2, .argv = words, .reply_bytes = VALUE_LEN, .fn = on_holder, .ctx = item};

    if (turns_command(item->shared->commands, &turn) < 0)
        free(item);
}

static struct parting_item *take_first(struct partings *partings)
{
    struct parting_item *item = TAILQ_FIRST(&partings->all);

    TAILQ_REMOVE(&partings->all, item, link);
    asker_give(&partings->askers, item->asker);
    partings->count--;
    return item;
}

/* For the first, which may be overdue. */
static void set_timer(struct partings *partings, uint64_t now_ms)
{
    uint64_t due_ms = TAILQ_FIRST(&partings->all)->due_ms;

    loop_timer_set(partings->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* Those that have left together, as those behind a proxy do, are due together. */
static void on_timer(void *ctx)
{
    struct partings *partings = ctx;
    uint64_t now_ms = loop_now_ms(partings->shared->senders.loop);

    for (int i = 0; i < PARTINGS_AT_ONCE && !TAILQ_EMPTY(&partings->all) &&
                    TAILQ_FIRST(&partings->all)->due_ms <= now_ms;
         i++)
        decide(take_first(partings));
    if (!TAILQ_EMPTY(&partings->all))
        set_timer(partings, now_ms);
}

int partings_init(struct partings *partings)
{
    TAILQ_INIT(&partings->all);
    partings->askers.max = partings->shared->inquiries->askers.max;
    partings->timer = loop_timer_new(partings->shared->senders.loop, on_timer, partings);
    return partings->timer == NULL ? -ENOMEM : askers_init(&partings->askers);
}

void partings_release(struct partings *partings)
{
    loop_timer_free(partings->timer);
    while (partings->count > 0)
        free(take_first(partings));
    askers_release(&partings->askers);
}

static void await(struct partings *partings, struct parting_item *item)
{
    const struct client_shared *shared = partings->shared;

    item->due_ms = loop_now_ms(shared->senders.loop) + shared->agent->grace_ms;
    if (TAILQ_EMPTY(&partings->all))
        loop_timer_set(partings->timer, shared->agent->grace_ms);
    TAILQ_INSERT_TAIL(&partings->all, item, link);
    partings->count++;
    if (partings->count <= shared->inquiries->max)
        return;
    counter_add(COUNTER_AGENT_REQUESTS, 1);
    decide(take_first(partings));
}

void partings_add(struct partings *partings, const struct parting *parting)
{
    struct parting_item *item = malloc(sizeof(*item));
    int error;

    if (item == NULL)
        return;
    *item = (struct parting_item){.shared = partings->shared, .parting = *parting};
    error = asker_take(&partings->askers, notify_str_of(parting->asker, parting->asker_len),
                       &item->asker);
    if (error == 0) {
        await(partings, item);
        return;
    }
    if (error == -EDQUOT)
        counter_add(COUNTER_AGENT_REQUESTS_OF_USER, 1);
    decide(item);
}

static void ignore_reply(void *ctx, const struct resp *reply)
{
    (void)ctx;
    (void)reply;
}

void partings_resume(const struct client_shared *shared, struct parting *parting)
{
    char key[KEY_MAX], value[VALUE_LEN + 1];
    struct notify_str words[] = {NOTIFY_STR("SET"),
                                 key_for(shared, parting, key),
                                 {NULL, 0}, /* the value */
                                 NOTIFY_STR("EX"),
                                 NOTIFY_STR(RESUMED_SECS)};
    const struct turn turn = {
        .argc = 5, .argv = words, .reply_bytes = 64, .fn = ignore_reply, .ctx = NULL};

    random_hex(parting->holder, PARTING_HOLDER_LEN / 2);
    words[2] = value_of(parting, value);
    if (turns_command(shared->commands, &turn) < 0)
        log_debug("agent_not_told", "command", "SET");
}
