#include "redis/listening_post.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jitter.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "redis/redis_address.h"
#include "redis/redis_link.h"
#include "redis/redis_route.h"
#include "redis/replication_info.h"
#include "redis/resp.h"
#include "redis/rests.h"

#define TICK_MS 1000     /* a random part of a half is taken off */
#define SILENT_TICKS 3   /* then it counts as frozen */
#define BEHIND_TICKS 3   /* that it has not come to where the primary was the tick before */
#define REPLICAS_MAX 256 /* of a primary; of more the others are not looked at */
#define AGAIN_MS 10000   /* if all is to be read anew again within so long, it is left */

enum deed { NOTHING, GO, LEAVE, AGAIN };

struct listening_post {
    struct loop *loop;                 /* borrowed */
    const struct redis_route *primary; /* borrowed */
    struct redis_route route;
    struct redis_link *commands, *subscriber; /* borrowed */
    struct redis_address address;             /* owned: of the replica; no host: there is none */
    struct replica_place place;               /* the same, as the primary calls it */
    uint64_t came_ms;                         /* loop clock: when it was gone to */
    struct rests rests;
    struct loop_timer *tick, *act; /* act: outside of all callbacks of links */
    uint64_t turn;                 /* of the replicas */
    char stream[64];               /* what the primary replicates; empty: not known */
    uint64_t offset, mark;         /* of the primary; and at the tick before */
    uint64_t syncs;                /* full ones, ever */
    uint64_t again_ms;             /* loop clock: when all was last read anew for one; 0: never */
    unsigned silent, behind;       /* ticks */
    enum deed deed;
    const char *why;
    struct log_once said;
    bool knows_syncs, moving;
};

/* Where. */

static bool is_at_replica(const struct listening_post *post)
{
    return post->address.host != NULL;
}

static const struct redis_address *where(void *ctx)
{
    struct listening_post *post = ctx;

    post->route.role = is_at_replica(post) ? REDIS_ANY : post->primary->role;
    post->silent = post->behind = 0;
    return is_at_replica(post) ? &post->address : post->primary->where(post->primary->ctx);
}

static bool is_resting(const struct listening_post *post, const struct replica_place *place)
{
    return rests_has(&post->rests, place, loop_now_ms(post->loop));
}

static void forget(struct listening_post *post)
{
    redis_address_release(&post->address);
    post->address = (struct redis_address){0};
}

static void rest(struct listening_post *post)
{
    uint64_t now_ms = loop_now_ms(post->loop);

    rests_add(&post->rests, &post->place, now_ms, now_ms - post->came_ms);
    forget(post);
}

/* Deeds. They wait until no link is in the middle of telling us something. */

static void act_soon(struct listening_post *post, enum deed deed, const char *why)
{
    if (post->deed != NOTHING)
        return;
    post->deed = deed;
    post->why = why;
    loop_timer_set(post->act, 0);
}

static void leave_soon(struct listening_post *post, const char *why)
{
    if (is_at_replica(post))
        act_soon(post, LEAVE, why);
}

static void log_place(const struct listening_post *post, const char *event)
{
    char text[REDIS_ADDRESS_TEXT_MAX];

    log_info(event, "addr", redis_address_text(&post->address, text), "reason", post->why);
}

static void on_act(void *ctx)
{
    struct listening_post *post = ctx;
    enum deed deed = post->deed;

    post->deed = NOTHING;
    if (!is_at_replica(post))
        return;
    if (deed == GO)
        log_place(post, "redis_replica");
    if (deed == LEAVE) {
        log_place(post, "redis_replica_left");
        rest(post);
    }
    post->moving = true;
    redis_link_reroute(post->subscriber, post->why);
    post->moving = false;
}

/* Of the route: the link went down. By itself: whatever it was, another one is looked for. */
static void on_doubt(void *ctx)
{
    struct listening_post *post = ctx;

    if (is_at_replica(post) && !post->moving) {
        post->why = "its connection was lost";
        log_place(post, "redis_replica_left");
        rest(post);
    } else if (!is_at_replica(post) && !post->moving && post->primary->on_doubt != NULL) {
        post->primary->on_doubt(post->primary->ctx);
    }
}

/* What the primary says. */

/* The turn's one of those that are not resting. False: there is none. */
static bool choose(struct listening_post *post, const struct replication_info *info,
                   struct replica_place *ret)
{
    struct replica_place place;
    size_t count = 0, at = 0, chosen;

    for (size_t n = 0; n < REPLICAS_MAX && replication_info_next(info, &at, &place); n++)
        count += !is_resting(post, &place);
    if (count == 0)
        return false;
    chosen = post->turn++ % count;
    at = 0;
    while (replication_info_next(info, &at, ret))
        if (!is_resting(post, ret) && chosen-- == 0)
            return true;
    return false;
}

/* Like the primary, but there. */
static void go_to(struct listening_post *post, const struct replica_place *place)
{
    const struct redis_address *primary = post->primary->where(post->primary->ctx);
    char *host = strdup(place->host);

    if (primary == NULL || host == NULL || redis_address_copy(&post->address, primary) != 0) {
        free(host);
        return; /* at the next tick */
    }
    free(post->address.host);
    free(post->address.path);
    post->address.path = NULL;
    post->address.host = host;
    post->address.port = place->port;
    post->place = *place;
    post->came_ms = loop_now_ms(post->loop);
    act_soon(post, GO, "it listens at a replica");
}

static bool is_listed(const struct listening_post *post, const struct replication_info *info)
{
    struct replica_place place;
    size_t at = 0;

    while (replication_info_next(info, &at, &place))
        if (replica_places_equal(&place, &post->place))
            return true;
    return false;
}

static void log_unknown(struct listening_post *post, const char *text)
{
    unsigned skipped;

    if (log_once(&post->said, loop_now_ms(post->loop), text, &skipped))
        log_warn("redis_replicas_unknown", "text", text, "see", "docs/acl.md");
}

static void note_stream(struct listening_post *post, const struct replication_info *info)
{
    size_t len = info->stream.len < sizeof(post->stream) ? info->stream.len : 0;

    if (len > 0)
        memcpy(post->stream, info->stream.ptr, len);
    post->stream[len] = '\0';
    post->offset = info->offset;
}

static void on_primary(void *ctx, const struct resp *reply)
{
    struct listening_post *post = ctx;
    struct replication_info info;
    struct replica_place place;

    if (reply == NULL || resp_is_passing_error(reply)) /* it will tell: so while a script runs */
        return;
    if (!replication_info_read(&info, resp_str(reply)) || info.is_replica) {
        log_unknown(post, reply->kind == RESP_ERROR ? log_bytes(reply->str.ptr, reply->str.len)
                                                    : "it says of itself that it is no primary");
        leave_soon(post, "the primary tells nothing of it");
        return;
    }
    note_stream(post, &info);
    if (is_at_replica(post)) {
        if (!is_listed(post, &info))
            leave_soon(post, "the primary does not know it any more");
    } else if (post->deed == NOTHING && choose(post, &info, &place)) {
        go_to(post, &place);
    }
}

/* A replica that is given all data anew says nothing of what is in them. Which one it was is not
 * known: some other one may fail at that again and again. */
static void on_synced_anew(struct listening_post *post)
{
    uint64_t now_ms = loop_now_ms(post->loop);
    bool is_often = post->again_ms != 0 && now_ms - post->again_ms < AGAIN_MS;

    if (post->deed != NOTHING) /* which has all read anew as well */
        return;
    post->again_ms = now_ms;
    if (is_often)
        leave_soon(post, "replicas are given all data again and again");
    else
        act_soon(post, AGAIN, "a replica was given all data anew");
}

static void on_stats(void *ctx, const struct resp *reply)
{
    struct listening_post *post = ctx;
    struct notify_str field = info_field(resp_str(reply), "sync_full");
    uint64_t syncs = field.len == 0 ? 0 : strtoull(field.ptr, NULL, 10); /* ended by "\r\n" */

    if (reply == NULL || resp_is_passing_error(reply))
        return;
    if (is_at_replica(post) && (!post->knows_syncs || syncs != post->syncs))
        on_synced_anew(post);
    post->knows_syncs = true;
    post->syncs = syncs;
}

/* What the replica says. */

static const char *find_fault(struct listening_post *post, const struct resp *reply)
{
    struct replication_info info;

    if (reply->kind == RESP_ERROR && !resp_is_passing_error(reply))
        return "it does not say how far it is";
    if (!replication_info_read(&info, resp_str(reply)) || !info.follows)
        return "it follows no primary";
    if (!notify_str_eq(info.stream, notify_str_z(post->stream)))
        return "it follows another primary";
    post->behind = info.offset < post->mark ? post->behind + 1 : 0;
    return post->behind < BEHIND_TICKS ? NULL : "it is behind";
}

static void on_replica(void *ctx, const struct resp *reply)
{
    struct listening_post *post = ctx;
    const char *fault;

    if (reply == NULL || !is_at_replica(post))
        return;
    post->silent = 0;
    fault = find_fault(post, reply);
    if (fault != NULL)
        leave_soon(post, fault);
}

/* Without the module it takes what it is told for unknown commands, and says nothing. */
static void on_module(void *ctx, const struct resp *reply)
{
    struct listening_post *post = ctx;
    struct notify_str field = info_field(resp_str(reply), "notify_database");

    if (reply == NULL || resp_is_passing_error(reply))
        return; /* it is left for that, or follows before it says anything */
    if (field.len == 0)
        leave_soon(post, "it has not the module");
    else if (strtol(field.ptr, NULL, 10) != post->address.db) /* ended by "\r\n" */
        leave_soon(post, "its module publishes another database");
}

/* Time. */

static void ask(struct redis_link *link, const char *section, redis_reply_fn fn,
                struct listening_post *post)
{
    const struct notify_str words[] = {NOTIFY_STR("INFO"), notify_str_z(section)};

    (void)redis_link_command(link, fn, post, 2, words); /* else at the next tick */
}

static void ask_replica(struct listening_post *post)
{
    if (!is_at_replica(post) || !redis_link_is_up(post->subscriber) || post->stream[0] == '\0')
        return;
    if (post->silent++ >= SILENT_TICKS)
        leave_soon(post, "it does not answer");
    else
        ask(post->subscriber, "replication", on_replica, post);
}

static void on_tick(void *ctx)
{
    struct listening_post *post = ctx;

    post->mark = post->offset;
    if (redis_link_is_up(post->commands)) {
        ask(post->commands, "replication", on_primary, post);
        ask(post->commands, "stats", on_stats, post);
        ask_replica(post);
    }
    loop_timer_set(post->tick, jittered(TICK_MS));
}

/* What links tell. */

static void on_commands_up(void *ctx, struct redis_link *link)
{
    struct listening_post *post = ctx;

    (void)link;
    loop_timer_set(post->tick, 0);
}

/* It may be another primary, or the same with other data, when it is there again. */
static void on_commands_down(void *ctx)
{
    struct listening_post *post = ctx;

    post->stream[0] = '\0';
    post->offset = post->mark = 0;
    post->knows_syncs = false;
}

static void on_subscriber_up(void *ctx, struct redis_link *link)
{
    struct listening_post *post = ctx;

    (void)link;
    ask_replica(post);
    if (is_at_replica(post))
        ask(post->subscriber, "notify", on_module, post);
}

static const struct redis_link_handlers commands_handlers = {.on_up = on_commands_up,
                                                             .on_down = on_commands_down};
static const struct redis_link_handlers subscriber_handlers = {.on_up = on_subscriber_up};

/* Life. */

struct listening_post *listening_post_new(struct loop *loop, const struct redis_route *primary)
{
    struct listening_post *post = calloc(1, sizeof(*post));

    if (post == NULL)
        return NULL;
    post->loop = loop;
    post->primary = primary;
    post->turn = jittered(REPLICAS_MAX); /* not everybody begins with the same one */
    post->route = (struct redis_route){
        .where = where, .on_doubt = on_doubt, .ctx = post, .tls = primary->tls};
    post->tick = loop_timer_new(loop, on_tick, post);
    post->act = loop_timer_new(loop, on_act, post);
    if (post->tick == NULL || post->act == NULL) {
        listening_post_free(post);
        return NULL;
    }
    return post;
}

const struct redis_route *listening_post_route(const struct listening_post *post)
{
    return &post->route;
}

void listening_post_tie(struct listening_post *post, struct redis_link *commands,
                        struct redis_link *subscriber)
{
    post->commands = commands;
    post->subscriber = subscriber;
    redis_link_listen(commands, &commands_handlers, post);
    redis_link_listen(subscriber, &subscriber_handlers, post);
}

void listening_post_free(struct listening_post *post)
{
    if (post == NULL)
        return;
    loop_timer_free(post->tick);
    loop_timer_free(post->act);
    redis_address_release(&post->address);
    free(post);
}
