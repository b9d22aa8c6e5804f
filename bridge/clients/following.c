#include "clients/following.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/client.h"
#include "clients/far_follow.h"
#include "clients/logs.h"
#include "identity/key_names.h"
#include "redis/keyspace.h"
#include "redis/resp.h"

#define IN_FLIGHT_MAX 128 /* commands at one server; with those of one client */
#define RETRY_MS 5000
#define WORDS_MAX (4 + LOGS_MAX)

/* Inboxes at one server. */
struct following_lane {
    struct followings *all;
    struct client_queue due;
    size_t in_flight;
    bool held; /* it cannot do it now: nobody is sent for until retry */
};

struct followings {
    struct loop *loop;         /* borrowed */
    struct keyspace *commands; /* borrowed */
    void (*on_answered)(struct client *client);
    struct following_lane lanes[KEYSPACE_LANES_MAX];
    size_t lane_count;        /* that may be used */
    struct loop_timer *retry; /* owned */
    struct log_once said;
    bool pump_due;
};

static_assert(KEYSPACE_LANES_MAX <= UINT8_MAX + 1, "a client notes its lane in a byte");

/* NOTIFY.FOLLOW or UNFOLLOW of an inbox and logs. */
struct command {
    struct key_buffer buffer;
    struct notify_str words[WORDS_MAX];
    size_t len;
    bool ends; /* UNFOLLOW */
};

static void pump_soon(struct followings *all);

/* What Redis says. */

/* What it will do later, perhaps: it is no fault of the boxes. */
static bool may_pass(const struct resp *reply)
{
    return resp_refuses_writes(reply) || resp_is_passing_error(reply);
}

static void tell(struct followings *all, const struct resp *reply)
{
    const char *text = log_bytes(reply->str.ptr, reply->str.len);
    unsigned skipped;

    counter_add(COUNTER_LOGS_REFUSED, 1);
    if (log_once(&all->said, loop_now_ms(all->loop), text, &skipped))
        log_warn("logs_not_followed", "text", text, "times", log_int(skipped + 1), "see",
                 "docs/following.md");
}

/* Of a command that nobody waits for. */
static void on_done(void *ctx, const struct resp *reply)
{
    struct following_lane *lane = ctx;

    if (reply != NULL && reply->kind == RESP_ERROR)
        tell(lane->all, reply);
    lane->in_flight--;
    pump_soon(lane->all);
}

static struct following_lane *lane_of(struct followings *all, const struct client_shared *shared,
                                      const struct identity *identity)
{
    struct key_buffer buffer;

    return &all->lanes[keyspace_lane(
        all->commands, key_of(shared->keys, KEY_INBOX, identity_user(identity), &buffer))];
}

static struct following_lane *lane_of_client(struct followings *all, const struct client *client)
{
    return lane_of(all, client->shared, client->identity);
}

static void stand_in_line(struct followings *all, struct client *client)
{
    struct following_lane *lane = lane_of_client(all, client);

    client->following = FOLLOWING_DUE;
    client->following_lane = (uint8_t)(lane - all->lanes);
    TAILQ_INSERT_TAIL(&lane->due, client, following_link);
}

static void leave_line(struct followings *all, struct client *client)
{
    TAILQ_REMOVE(&all->lanes[client->following_lane].due, client, following_link);
    client->following = FOLLOWING_NOTHING;
}

/* Whoever stands in the line is not to wait for that. */
static void hold(struct following_lane *lane)
{
    struct client *client;

    if (lane->held)
        return;
    lane->held = true;
    loop_timer_set(lane->all->retry, RETRY_MS);
    TAILQ_FOREACH(client, &lane->due, following_link)
    {
        lane->all->on_answered(client);
    }
}

/* One of its logs may be what Redis objects to: the others are followed all the same. */
static bool may_go_singly(const struct client *client)
{
    return !client->follows_singly && logs_of(client->shared, client->identity)->len > 1;
}

/* Did it, or the server of one of its logs, go? With one server the line waits for that. */
static bool lost_a_part(const struct followings *all, const struct resp *reply)
{
    return reply == NULL && keyspace_is_split(all->commands);
}

/* Whether the client has been seen to. */
static bool take_answer(struct followings *all, struct client *client, const struct resp *reply)
{
    bool refused = reply != NULL && reply->kind == RESP_ERROR;

    if (refused)
        tell(all, reply);
    if ((refused && may_pass(reply)) || lost_a_part(all, reply)) {
        hold(lane_of_client(all, client));
        return false;
    }
    client->follows_singly = refused && may_go_singly(client);
    return reply != NULL && !client->follows_singly;
}

/* What is under way for a client. */
struct asking {
    struct client *client;
    struct following_lane *lane;
};

static void on_followed(void *ctx, const struct resp *reply)
{
    struct asking asking = *(struct asking *)ctx;
    struct client *client = asking.client;
    struct followings *all = asking.lane->all;
    bool again = client->following == FOLLOWING_AGAIN;

    free(ctx);
    asking.lane->in_flight--;
    client->following = FOLLOWING_NOTHING;
    if (!client_is_closed(client)) {
        if (!take_answer(all, client, reply) || again)
            stand_in_line(all, client);
        if (reply != NULL || lost_a_part(all, reply))
            all->on_answered(client);
    }
    client_call_end(client, 0);
    pump_soon(all);
}

/* What is sent. */

static void add(struct command *command, struct notify_str word)
{
    command->words[command->len++] = word;
}

static void begin(struct command *command, bool ends, const struct client_shared *shared,
                  const struct identity *identity)
{
    command->len = 0;
    command->ends = ends;
    add(command, ends ? NOTIFY_STR("NOTIFY.UNFOLLOW") : NOTIFY_STR("NOTIFY.FOLLOW"));
    add(command, key_of(shared->keys, KEY_INBOX, identity_user(identity), &command->buffer));
}

static void add_logs(struct command *command, const struct logs *logs)
{
    for (size_t i = 0; i < logs->len; i++)
        add(command, logs->at[i]);
}

static int send_words(struct followings *all, struct command *command, bool tells,
                      redis_reply_fn fn, void *ctx)
{
    const struct far_follow far = {.inbox = command->words[1],
                                   .len = command->len - 2,
                                   .logs = command->words + 2,
                                   .tells = tells};

    if (far_follow_is_far(all->commands, &far)) {
        if (!command->ends)
            return far_follow_begin(all->commands, fn, ctx, &far);
        add(command, NOTIFY_STR("BYNAME"));
    }
    if (!tells)
        add(command, NOTIFY_STR("NOPUBLISH"));
    return keyspace_command(all->commands, fn, ctx, command->len, command->words);
}

/* All logs have been added. tells: the user's devices hear of it. */
static bool send(struct following_lane *lane, struct command *command, bool tells,
                 redis_reply_fn fn, void *ctx)
{
    if (send_words(lane->all, command, tells, fn, ctx) != 0)
        return false;
    lane->in_flight++;
    return true;
}

/* Those of roles that it has lost while it was away. */
static void send_leave(struct following_lane *lane, const struct client *client)
{
    const struct logs *lost = logs_of_others(client->shared, client->identity);
    struct command command;

    if (lost->len == 0)
        return;
    begin(&command, true, client->shared, client->identity);
    add_logs(&command, lost);
    (void)send(lane, &command, false, on_done, lane);
}

static void send_singly(struct following_lane *lane, struct client *client)
{
    const struct logs *logs = logs_of(client->shared, client->identity);
    struct command command;

    client->follows_singly = false;
    for (size_t i = 0; i < logs->len; i++) {
        begin(&command, false, client->shared, client->identity);
        add(&command, logs->at[i]);
        (void)send(lane, &command, true, on_done, lane);
    }
}

static void send_all(struct following_lane *lane, struct client *client)
{
    struct asking *asking = malloc(sizeof(*asking));
    struct command command;

    begin(&command, false, client->shared, client->identity);
    add_logs(&command, logs_of(client->shared, client->identity));
    if (asking != NULL)
        *asking = (struct asking){client, lane};
    if (asking != NULL && send(lane, &command, client->follows_tells, on_followed, asking)) {
        sender_call_begin(&client->sender, 0);
        client->following = FOLLOWING_SENT;
    } else {
        free(asking);
        stand_in_line(lane->all, client);
        hold(lane);
    }
}

static void serve(struct followings *all, struct client *client)
{
    struct following_lane *lane = lane_of_client(all, client); /* slots move */

    leave_line(all, client);
    if (client->follows_singly) {
        send_singly(lane, client);
        return;
    }
    send_leave(lane, client);
    if (logs_of(client->shared, client->identity)->len > 0)
        send_all(lane, client);
    else
        all->on_answered(client);
}

/* The line. */

static bool moves(const struct following_lane *lane)
{
    return !lane->held && !TAILQ_EMPTY(&lane->due);
}

static void pump(void *ctx)
{
    struct followings *all = ctx;

    all->pump_due = false;
    for (size_t i = 0; i < all->lane_count; i++)
        while (moves(&all->lanes[i]) && keyspace_is_up(all->commands) &&
               all->lanes[i].in_flight < IN_FLIGHT_MAX)
            serve(all, TAILQ_FIRST(&all->lanes[i].due));
}

static bool is_due(const struct followings *all)
{
    for (size_t i = 0; i < all->lane_count; i++)
        if (moves(&all->lanes[i]))
            return true;
    return false;
}

static void pump_soon(struct followings *all)
{
    if (all->pump_due || !is_due(all) || !keyspace_is_up(all->commands))
        return;
    all->pump_due = true;
    loop_defer(all->loop, pump, all);
}

static void on_retry(void *ctx)
{
    struct followings *all = ctx;

    for (size_t i = 0; i < all->lane_count; i++)
        all->lanes[i].held = false;
    pump_soon(all);
}

static void on_commands_up(void *ctx, struct keyspace *keys, const struct keyspace_part *part)
{
    (void)keys; /* they were given before */
    (void)part;
    on_retry(ctx); /* it may be another server */
}

const struct keyspace_handlers followings_commands_handlers = {.on_up = on_commands_up};

/* Clients. */

static bool want(struct client *client, bool tells)
{
    struct followings *all = client->shared->followings;

    client->follows_tells = tells;
    client->follows_singly = false;
    if (client->following == FOLLOWING_SENT)
        client->following = FOLLOWING_AGAIN;
    else if (client->following == FOLLOWING_NOTHING)
        stand_in_line(all, client);
    pump_soon(all);
    return !lane_of_client(all, client)->held;
}

bool following_begin(struct client *client)
{
    client->follows_logs = true;
    return want(client, false);
}

void following_go_on(struct client *client)
{
    client->follows_logs = true;
}

void following_note(struct client *client)
{
    const struct logs *logs = logs_of(client->shared, client->identity);

    for (struct follow *f = client->follows; client->follows_logs && f != NULL; f = f->next)
        f->counted = logs_have(logs, follow_key(f));
}

/* They begin where the log ends, so that no count is another one than before. */
void following_renew(struct client *client)
{
    if (client->follows_logs)
        (void)want(client, false);
}

static void leave(struct client *client, struct notify_str log)
{
    struct following_lane *lane = lane_of_client(client->shared->followings, client);
    struct command command;

    begin(&command, true, client->shared, client->identity);
    add(&command, log);
    (void)send(lane, &command, true, on_done, lane);
}

/* Whether it has one more than before. */
static bool has_new(const struct client *client, const struct logs *logs)
{
    for (size_t i = 0; i < logs->len; i++) {
        const struct follow *follow = client_find_follow(client, logs->at[i]);
        if (follow == NULL || !follow->counted)
            return true;
    }
    return false;
}

void following_leave_lost(struct client *client)
{
    const struct logs *logs = logs_of(client->shared, client->identity);

    for (struct follow *f = client->follows; f != NULL; f = f->next) {
        if (!f->counted || logs_have(logs, follow_key(f)))
            continue;
        leave(client, follow_key(f));
        f->counted = false;
    }
}

void following_begin_new(struct client *client)
{
    if (!client->follows_logs || !has_new(client, logs_of(client->shared, client->identity)))
        return;
    (void)want(client, true);
    following_note(client);
}

void following_ensure(const struct client_shared *shared, const struct identity *identity)
{
    struct following_lane *lane = lane_of(shared->followings, shared, identity);
    const struct logs *logs = logs_of(shared, identity);
    struct command command;

    if (lane->held || logs->len == 0)
        return;
    begin(&command, false, shared, identity);
    add_logs(&command, logs);
    (void)send(lane, &command, false, on_done, lane);
}

void following_forget(struct client *client)
{
    if (client->following == FOLLOWING_DUE)
        leave_line(client->shared->followings, client);
    client->following = FOLLOWING_NOTHING;
}

/* All. */

struct followings *followings_new(struct loop *loop, struct keyspace *commands,
                                  void (*on_answered)(struct client *client))
{
    struct followings *all = calloc(1, sizeof(*all));

    if (all == NULL)
        return NULL;
    all->loop = loop;
    all->commands = commands;
    all->on_answered = on_answered;
    all->lane_count = keyspace_is_split(commands) ? KEYSPACE_LANES_MAX : 1;
    for (size_t i = 0; i < all->lane_count; i++) {
        all->lanes[i].all = all;
        TAILQ_INIT(&all->lanes[i].due);
    }
    all->retry = loop_timer_new(loop, on_retry, all);
    if (all->retry != NULL)
        return all;
    free(all);
    return NULL;
}

void followings_free(struct followings *all)
{
    if (all == NULL)
        return;
    if (all->pump_due)
        loop_undefer(all->loop, pump, all);
    loop_timer_free(all->retry);
    free(all);
}
