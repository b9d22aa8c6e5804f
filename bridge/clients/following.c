#include "clients/following.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/client.h"
#include "clients/logs.h"
#include "identity/key_names.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define IN_FLIGHT_MAX 128 /* commands; with those of one client */
#define RETRY_MS 5000
#define WORDS_MAX (4 + LOGS_MAX)

struct followings {
    struct loop *loop;           /* borrowed */
    struct redis_link *commands; /* borrowed */
    void (*on_answered)(struct client *client);
    struct client_queue due;
    size_t in_flight;
    struct loop_timer *retry; /* owned */
    struct log_once said;
    bool held; /* Redis cannot do it now: nobody is sent for until retry */
    bool pump_due;
};

/* A command about an inbox and logs. */
struct command {
    struct key_buffer buffer;
    struct notify_str words[WORDS_MAX];
    size_t len;
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
    struct followings *all = ctx;

    if (reply != NULL && reply->kind == RESP_ERROR)
        tell(all, reply);
    all->in_flight--;
    pump_soon(all);
}

static void stand_in_line(struct followings *all, struct client *client)
{
    client->following = FOLLOWING_DUE;
    TAILQ_INSERT_TAIL(&all->due, client, following_link);
}

/* Whoever stands in the line is not to wait for that. */
static void hold(struct followings *all)
{
    struct client *client;

    if (all->held)
        return;
    all->held = true;
    loop_timer_set(all->retry, RETRY_MS);
    TAILQ_FOREACH(client, &all->due, following_link)
    {
        all->on_answered(client);
    }
}

/* One of its logs may be what Redis objects to: the others are followed all the same. */
static bool may_go_singly(const struct client *client)
{
    return !client->follows_singly && logs_of(client->shared, client->identity)->len > 1;
}

/* Whether the client has been seen to. */
static bool take_answer(struct followings *all, struct client *client, const struct resp *reply)
{
    bool refused = reply != NULL && reply->kind == RESP_ERROR;

    if (refused)
        tell(all, reply);
    if (refused && may_pass(reply)) {
        hold(all);
        return false;
    }
    client->follows_singly = refused && may_go_singly(client);
    return reply != NULL && !client->follows_singly;
}

static void on_followed(void *ctx, const struct resp *reply)
{
    struct client *client = ctx;
    struct followings *all = client->shared->followings;
    bool again = client->following == FOLLOWING_AGAIN;

    all->in_flight--;
    client->following = FOLLOWING_NOTHING;
    if (!client_is_closed(client)) {
        if (!take_answer(all, client, reply) || again)
            stand_in_line(all, client);
        if (reply != NULL)
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

static void begin(struct command *command, struct notify_str name,
                  const struct client_shared *shared, const struct identity *identity)
{
    command->len = 0;
    add(command, name);
    add(command, key_of(shared->keys, KEY_INBOX, identity_user(identity), &command->buffer));
}

static void add_logs(struct command *command, const struct logs *logs)
{
    for (size_t i = 0; i < logs->len; i++)
        add(command, logs->at[i]);
}

static bool send(struct followings *all, const struct command *command, redis_reply_fn fn,
                 void *ctx)
{
    if (redis_link_command(all->commands, fn, ctx, command->len, command->words) != 0)
        return false;
    all->in_flight++;
    return true;
}

/* Those of roles that it has lost while it was away. */
static void send_leave(struct followings *all, const struct client *client)
{
    const struct logs *lost = logs_of_others(client->shared, client->identity);
    struct command command;

    if (lost->len == 0)
        return;
    begin(&command, NOTIFY_STR("NOTIFY.UNFOLLOW"), client->shared, client->identity);
    add_logs(&command, lost);
    add(&command, NOTIFY_STR("NOPUBLISH"));
    (void)send(all, &command, on_done, all);
}

static void send_singly(struct followings *all, struct client *client)
{
    const struct logs *logs = logs_of(client->shared, client->identity);
    struct command command;

    client->follows_singly = false;
    for (size_t i = 0; i < logs->len; i++) {
        begin(&command, NOTIFY_STR("NOTIFY.FOLLOW"), client->shared, client->identity);
        add(&command, logs->at[i]);
        (void)send(all, &command, on_done, all);
    }
}

static void send_all(struct followings *all, struct client *client)
{
    struct command command;

    begin(&command, NOTIFY_STR("NOTIFY.FOLLOW"), client->shared, client->identity);
    add_logs(&command, logs_of(client->shared, client->identity));
    if (!client->follows_tells)
        add(&command, NOTIFY_STR("NOPUBLISH"));
    if (send(all, &command, on_followed, client)) {
        sender_call_begin(&client->sender, 0);
        client->following = FOLLOWING_SENT;
    } else {
        stand_in_line(all, client);
        hold(all);
    }
}

static void serve(struct followings *all, struct client *client)
{
    TAILQ_REMOVE(&all->due, client, following_link);
    client->following = FOLLOWING_NOTHING;
    if (client->follows_singly) {
        send_singly(all, client);
        return;
    }
    send_leave(all, client);
    if (logs_of(client->shared, client->identity)->len > 0)
        send_all(all, client);
    else
        all->on_answered(client);
}

/* The line. */

static void pump(void *ctx)
{
    struct followings *all = ctx;

    all->pump_due = false;
    while (!all->held && redis_link_is_up(all->commands) && all->in_flight < IN_FLIGHT_MAX &&
           !TAILQ_EMPTY(&all->due))
        serve(all, TAILQ_FIRST(&all->due));
}

static void pump_soon(struct followings *all)
{
    if (all->pump_due || all->held || TAILQ_EMPTY(&all->due) || !redis_link_is_up(all->commands))
        return;
    all->pump_due = true;
    loop_defer(all->loop, pump, all);
}

static void on_retry(void *ctx)
{
    struct followings *all = ctx;

    all->held = false;
    pump_soon(all);
}

static void on_commands_up(void *ctx, struct redis_link *link)
{
    (void)link;    /* it was given before */
    on_retry(ctx); /* it may be another server */
}

const struct redis_link_handlers followings_commands_handlers = {.on_up = on_commands_up};

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
    return !all->held;
}

bool following_begin(struct client *client)
{
    client->follows_logs = true;
    return want(client, false);
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
    struct command command;

    begin(&command, NOTIFY_STR("NOTIFY.UNFOLLOW"), client->shared, client->identity);
    add(&command, log);
    (void)send(client->shared->followings, &command, on_done, client->shared->followings);
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
    struct followings *all = shared->followings;
    const struct logs *logs = logs_of(shared, identity);
    struct command command;

    if (all->held || logs->len == 0)
        return;
    begin(&command, NOTIFY_STR("NOTIFY.FOLLOW"), shared, identity);
    add_logs(&command, logs);
    add(&command, NOTIFY_STR("NOPUBLISH"));
    (void)send(all, &command, on_done, all);
}

void following_forget(struct client *client)
{
    if (client->following == FOLLOWING_DUE)
        TAILQ_REMOVE(&client->shared->followings->due, client, following_link);
    client->following = FOLLOWING_NOTHING;
}

/* All. */

struct followings *followings_new(struct loop *loop, struct redis_link *commands,
                                  void (*on_answered)(struct client *client))
{
    struct followings *all = calloc(1, sizeof(*all));

    if (all == NULL)
        return NULL;
    all->loop = loop;
    all->commands = commands;
    all->on_answered = on_answered;
    TAILQ_INIT(&all->due);
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
