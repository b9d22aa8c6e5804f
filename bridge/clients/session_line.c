/* session_line -- what is sent to Redis for session sets.
 *
 * Sets that have something to say stand in a line; each sends one command when its turn comes and
 * goes to the end, so that one of thousands of places does not hold up the others. So much is under
 * way at a time: whatever else uses the link waits for no more than that. Each server of a cluster
 * has a line of its own: one that stands still holds up its own sets alone. */
#include "clients/sessions_private.h"

#include <stdlib.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "clients/client.h"
#include "clients/session_command.h"
#include "redis/keyspace.h"
#include "redis/resp.h"
#include "redis/subscription.h"

#define IN_FLIGHT_MAX 128    /* commands, at one server */
#define SET_IN_FLIGHT_MAX 16 /* and of one set */
/* Of a set, before what is to be touched in it has its turn; from then on one for one. When opening
 * all of them takes longer than a lease, those that are open must not be forgotten meanwhile, and
 * so on without end; nor may renewing keep anybody out. */
#define OPENS_BEFORE_TOUCHES 16

struct op;
typedef void (*op_fn)(struct op *op, const struct resp *reply);

/* A command under way. */
struct op {
    struct session_set *set;
    struct session_lane *lane;
    struct session_place *place; /* of OPEN */
    struct op *other;            /* of COUNT: that of the connections, which comes behind */
    op_fn fn;
    int64_t count; /* of TOUCH: connections that were named; of OPEN: 1: it said AGAIN; of COUNT:
                    * sessions, -1: not known */
};

static void begin(struct session_command *command, const struct session_set *set,
                  struct notify_str what)
{
    session_command_begin(command, what, session_set_key(set));
}

static void add_lease(struct session_command *command, const struct sessions *all)
{
    session_command_add(command, NOTIFY_STR("LEASE"));
    session_command_add(command, notify_str_z(all->texts.lease));
}

static void add_connection(struct session_command *command, const struct session_place *place)
{
    session_command_add_connection(command, session_place_node(place), place->number);
}

/* Lanes. */

struct session_lane *session_lane_of(struct sessions *all, struct notify_str key)
{
    return &all->lanes[keyspace_lane(all->config.commands, key)];
}

void session_lane_sent(struct sessions *all, struct session_lane *lane, size_t count)
{
    lane->in_flight += count;
    all->in_flight += count;
}

void session_lane_answered(struct sessions *all, struct session_lane *lane, size_t count)
{
    lane->in_flight -= count;
    all->in_flight -= count;
}

/* Sending. */

void session_line_answered(struct session_set *set)
{
    if (set->in_flight-- == SET_IN_FLIGHT_MAX)
        session_line_add(set); /* it had left the line, and may have more to say */
    session_set_free_if_idle(set);
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct op *op = ctx;
    struct session_set *set = op->set;
    struct sessions *all = set->all;

    op->fn(op, reply);
    session_lane_answered(all, op->lane, 1);
    free(op);
    session_line_answered(set);
    session_line_pump_soon(all);
    session_line_check_drained(all);
}

/* NULL: it cannot be sent now. */
static struct op *send_op(struct session_set *set, const struct session_command *command,
                          const struct op *like)
{
    struct sessions *all = set->all;
    struct op *op = malloc(sizeof(*op));

    if (op == NULL)
        return NULL;
    *op = *like;
    op->set = set;
    op->lane = session_lane_of(all, session_set_key(set));
    if (keyspace_command(all->config.commands, on_reply, op, command->len, command->words) != 0) {
        free(op);
        return NULL;
    }
    session_lane_sent(all, op->lane, 1);
    set->in_flight++;
    return op;
}

/* False: it cannot be sent now. */
static bool send_command(struct session_set *set, const struct session_command *command,
                         const struct op *like)
{
    return send_op(set, command, like) != NULL;
}

void sessions_failed(struct sessions *all, struct notify_str key, const struct resp *reply)
{
    const char *text = log_bytes(reply->str.ptr, reply->str.len);
    unsigned skipped;

    counter_add(COUNTER_SESSIONS_FAILED, 1);
    if (log_once(&all->said, loop_now_ms(all->config.loop), text, &skipped))
        log_warn("session_failed", "key", log_bytes(key.ptr, key.len), "text", text, "times",
                 log_int(skipped + 1), "see", "docs/sessions.md");
}

/* What was wanted is tried again later. */
static void fail(struct session_set *set, const struct resp *reply)
{
    set->failing = true;
    sessions_failed(set->all, session_set_key(set), reply);
}

static void fail_if_refused(struct session_set *set, const struct resp *reply)
{
    if (reply != NULL && reply->kind == RESP_ERROR)
        fail(set, reply);
}

/* OPEN */

static void settle(struct session_place *place)
{
    if (place->set->kind == SESSIONS_OF_USER)
        place->set->all->config.handlers->on_settled(place->client);
}

static void refuse(struct session_place *place, const struct resp *reply)
{
    static const char sessions[] = "LIMIT too many sessions";
    struct session_set *set = place->set;

    session_place_set_state(place, PLACE_NONE);
    set->all->config.handlers->on_refused(place->client, set->kind, session_set_key(set),
                                          strncmp(reply->str.ptr, sessions, sizeof(sessions) - 1) ==
                                              0);
}

static bool is_of_older_server(const struct op *op, const struct resp *reply)
{
    static const char syntax[] = "ERR syntax error";

    return op->count > 0 && reply->kind == RESP_ERROR &&
           strncmp(reply->str.ptr, syntax, sizeof(syntax) - 1) == 0;
}

static void on_opened(struct op *op, const struct resp *reply)
{
    struct session_place *place = op->place;

    if (place->client == NULL && (reply == NULL || place->stays)) {
        session_place_free(place);
    } else if (place->client == NULL) {
        session_place_set_state(place, PLACE_CLOSING);
    } else if (reply == NULL) { /* the link was lost */
        place->again = true;
        session_place_set_state(place, PLACE_WANTED);
    } else if (resp_is_error(reply, "KICKED")) {
        session_place_set_state(place, PLACE_NONE);
        session_place_kick(place);
    } else if (is_of_older_server(op, reply)) {
        place->set->all->knows_again = false;
        session_place_set_state(place, PLACE_WANTED);
    } else if (resp_is_error(reply, "LIMIT")) {
        refuse(place, reply);
    } else if (reply->kind == RESP_ERROR) {
        fail(op->set, reply);
        session_place_set_state(place, PLACE_WANTED);
        settle(place);
    } else {
        session_place_set_state(place, PLACE_OPEN);
        if (place->is_named)
            session_holder_open(place);
        settle(place);
    }
}

static void add_limit(struct session_command *command, struct notify_str name, const char *limit)
{
    if (limit[0] == '0')
        return;
    session_command_add(command, name);
    session_command_add(command, notify_str_z(limit));
}

static bool send_open(struct session_set *set, struct session_command *command,
                      struct session_place *place)
{
    const struct sessions_texts *texts = &set->all->texts;
    bool says_again = place->again && set->all->knows_again;

    begin(command, set, NOTIFY_STR("OPEN"));
    session_command_add(command, session_place_name(place));
    add_connection(command, place);
    add_lease(command, set->all);
    session_command_add_origin(command, set->all->node, place->client);
    if (set->kind == SESSIONS_OF_USER) {
        add_limit(command, NOTIFY_STR("MAXCONN"), texts->per_session);
        add_limit(command, NOTIFY_STR("MAXSESSIONS"), texts->per_user);
    }
    if (says_again)
        session_command_add(command, NOTIFY_STR("AGAIN"));
    if (!send_command(set, command,
                      &(struct op){.fn = on_opened, .place = place, .count = says_again}))
        return false;
    session_place_set_state(place, PLACE_OPENING);
    set->opened++;
    return true;
}

/* TOUCH */

static void on_touched(struct op *op, const struct resp *reply)
{
    fail_if_refused(op->set, reply);
    if (resp_integer(reply, op->count) < op->count) {
        /* Redis has forgotten some of them: a lease had passed, or the set was lost. */
        counter_add(COUNTER_SESSIONS_LOST, 1);
        session_set_open_again(op->set);
    }
}

/* The first that has not been touched in this round. */
static struct session_place *next_to_touch(struct session_set *set)
{
    struct session_place *place;

    TAILQ_FOREACH(place, &set->places, link)
    {
        if (place->state == PLACE_WANTED || place->state == PLACE_CLOSING)
            continue; /* these stand before all others */
        if (place->round == set->round)
            return NULL; /* so are all behind it */
        if (place->state == PLACE_OPEN)
            return place;
    }
    return NULL;
}

/* Its set may have been lost without anybody hearing of that. */
static void renew_holder(struct session_place *place)
{
    if (place->holds && place->set->all->knows_renew)
        session_renewal_add_holder(place);
    else if (place->is_named)
        session_holder_open(place);
}

/* The one place that a set has: together with those of other sets. */
static void renew_only(struct session_place *place)
{
    session_renewal_add(place);
    renew_holder(place);
    session_place_set_state(place, PLACE_OPEN);
}

static bool send_touch(struct session_set *set, struct session_command *command,
                       struct session_place *place)
{
    struct op op = {.fn = on_touched};
    unsigned holders = 0; /* each of them may be a command of its own */

    if (set->all->knows_renew &&
        TAILQ_FIRST(&set->places) == TAILQ_LAST(&set->places, session_places)) {
        renew_only(place);
        return true;
    }
    begin(command, set, NOTIFY_STR("TOUCH"));
    add_lease(command, set->all);
    for (struct session_place *next;
         place != NULL && op.count < SESSION_COMMAND_PLACES && holders < SET_IN_FLIGHT_MAX;
         place = next) {
        next = TAILQ_NEXT(place, link);
        if (place->round == set->round)
            break;
        if (place->state == PLACE_OPEN) {
            add_connection(command, place);
            op.count++;
            holders += place->is_named && !(place->holds && set->all->knows_renew);
            renew_holder(place);
        }
        session_place_set_state(place, place->state); /* behind those that are still to be */
    }
    set->opened -= (set->opened > 0);
    return send_command(set, command, &op);
}

/* CLOSE */

static void on_closed(struct op *op, const struct resp *reply)
{
    fail_if_refused(op->set, reply);
}

/* What cannot be sent ends with its lease. */
static bool send_close(struct session_set *set, struct session_command *command)
{
    struct session_place *place;
    bool sent;

    begin(command, set, NOTIFY_STR("CLOSE"));
    TAILQ_FOREACH(place, &set->places, link)
    {
        if (place->state != PLACE_CLOSING || command->names_len == SESSION_COMMAND_PLACES)
            break;
        add_connection(command, place);
    }
    sent = send_command(set, command, &(struct op){.fn = on_closed});
    for (size_t i = command->names_len; i > 0; i--)
        session_place_free(TAILQ_FIRST(&set->places));
    return sent;
}

/* DROPNODE */

static bool send_drop(struct session_set *set, struct session_command *command)
{
    struct session_place *place, *next;

    set->dropping = false;
    for (place = TAILQ_FIRST(&set->places); place != NULL; place = next) {
        next = TAILQ_NEXT(place, link);
        if (place->client != NULL)
            session_holder_close(place);
        if (place->client == NULL && place->state == PLACE_CLOSING)
            session_place_free(place);
        else if (place->state != PLACE_OPENING && place->state != PLACE_NONE)
            session_place_set_state(place, PLACE_NONE);
    }
    begin(command, set, NOTIFY_STR("DROPNODE"));
    session_command_add(command, notify_str_z(set->all->node));
    return send_command(set, command, &(struct op){.fn = on_closed});
}

/* COUNT, twice: those who watch are to learn how it stands. */

static void on_sessions_counted(struct op *op, const struct resp *reply)
{
    if (op->other != NULL) {
        op->other->count = resp_integer(reply, -1);
        op->other->other = NULL;
    }
    fail_if_refused(op->set, reply);
}

static void on_connections_counted(struct op *op, const struct resp *reply)
{
    struct session_set *set = op->set;
    int64_t sessions = op->count, connections = resp_integer(reply, -1);

    if (op->other != NULL) /* it comes ahead of the other one */
        op->other->other = NULL;
    set->counting = false;
    fail_if_refused(set, reply);
    if (reply == NULL)
        set->tells = true;
    else if (sessions < 0 || connections < 0)
        set->uncounted = true;
    else
        presence_tell(set, sessions, connections);
}

static bool send_count(struct session_set *set, struct session_command *command)
{
    struct op *first, *second = NULL;

    set->tells = false;
    begin(command, set, NOTIFY_STR("COUNT"));
    first = send_op(set, command, &(struct op){.fn = on_sessions_counted});
    if (first != NULL) {
        session_command_add(command, NOTIFY_STR("CONNECTIONS"));
        second = send_op(set, command,
                         &(struct op){.fn = on_connections_counted, .other = first, .count = -1});
        first->other = second;
    }
    set->counting = second != NULL;
    set->uncounted = !set->counting;
    return set->counting;
}

/* The line. */

/* A kick right behind OPEN must be heard; where nothing will be, that is not waited for. */
static bool may_open(const struct session_set *set)
{
    if (set->failing || set->all->draining)
        return false;
    return set->kind != SESSIONS_OF_USER || set->sub == NULL || subscription_is_held(set->sub) ||
           subscription_is_refused(set->sub);
}

enum step { STEP_SENT, STEP_NOTHING, STEP_FAILED };

static enum step step_of(bool sent)
{
    return sent ? STEP_SENT : STEP_FAILED;
}

/* Sends what is next to be sent for a set that has places. */
static enum step send_next(struct session_set *set)
{
    static struct session_command command; /* one thread; nothing in it outlives the call */
    struct session_place *first = TAILQ_FIRST(&set->places), *place;
    bool opens = first->state == PLACE_WANTED && may_open(set);

    if (set->dropping)
        return step_of(send_drop(set, &command));
    if (first->state == PLACE_CLOSING)
        return step_of(send_close(set, &command));
    if (opens && set->opened < OPENS_BEFORE_TOUCHES)
        return step_of(send_open(set, &command, first));
    if ((place = next_to_touch(set)) != NULL)
        return step_of(send_touch(set, &command, place));
    set->opened = 0;
    if (opens)
        return step_of(send_open(set, &command, first));
    if (set->tells && !set->counting && set->sub != NULL && subscription_is_held(set->sub))
        return step_of(send_count(set, &command));
    return STEP_NOTHING;
}

void session_line_remove(struct session_set *set)
{
    struct sessions *all = set->all;

    if (set->due)
        TAILQ_REMOVE(&all->lanes[set->lane].due, set, due_link);
    else
        heartbeat_cancel(all->wheel, &set->beat);
    set->due = false;
    set->beat = (struct heartbeat_node){0}; /* not set */
}

void session_line_begin_round(struct session_set *set)
{
    set->round++;
    set->failing = false;
    set->tells |= set->uncounted;
    set->uncounted = false;
    if (set->told == SESSIONS_TOLD_MAX)
        session_set_learn(set);
    set->told = 0;
}

/* Its leases are due. They will be at the same time again: if all were renewed at once, when Redis
 * has been away, that does not come again. */
static void begin_due_round(struct session_set *set, uint64_t now_ms)
{
    uint64_t period_ms = set->all->config.lease_ms / SESSIONS_TOUCHES_PER_LEASE + 1;

    set->touch_ms += ((now_ms - set->touch_ms) / period_ms + 1) * period_ms;
    session_line_begin_round(set);
}

static void take_off(struct session_set *set, uint64_t now_ms)
{
    struct sessions *all = set->all;

    session_line_remove(set);
    heartbeat_set(all->wheel, &set->beat, set->touch_ms > now_ms ? set->touch_ms - now_ms : 0);
    session_set_free_if_idle(set);
}

/* In the line of the server that its key is at now. */
static void join_lane(struct session_set *set)
{
    set->lane = (uint8_t)keyspace_lane(set->all->config.commands, session_set_key(set));
    TAILQ_INSERT_TAIL(&set->all->lanes[set->lane].due, set, due_link);
}

static void go_behind(struct session_set *set)
{
    TAILQ_REMOVE(&set->all->lanes[set->lane].due, set, due_link);
    join_lane(set);
}

static bool stands_right(const struct session_set *set)
{
    return set->lane == keyspace_lane(set->all->config.commands, session_set_key(set));
}

static void serve(struct session_set *set)
{
    struct sessions *all = set->all;
    uint64_t now_ms = loop_now_ms(all->config.loop);
    enum step step = STEP_NOTHING;

    if (now_ms >= set->touch_ms)
        begin_due_round(set, now_ms);
    set->in_flight++; /* it stays until the end of this */
    if (!TAILQ_EMPTY(&set->places) && set->in_flight <= SET_IN_FLIGHT_MAX &&
        keyspace_has(all->config.commands, session_set_key(set)))
        step = send_next(set);
    set->in_flight--;
    set->failing |= step == STEP_FAILED;
    if (step == STEP_SENT)
        go_behind(set);
    else
        take_off(set,
                 now_ms); /* if its server is away: until that is there, or its leases are due */
}

static bool lane_has_more(const struct session_lane *lane)
{
    return !TAILQ_EMPTY(&lane->due) || !TAILQ_EMPTY(&lane->ended);
}

static bool has_more(const struct sessions *all)
{
    for (size_t i = 0; i < all->lane_count; i++)
        if (lane_has_more(&all->lanes[i]))
            return true;
    return false;
}

static void pump_lane(struct sessions *all, struct session_lane *lane)
{
    struct session_set *set;

    while (keyspace_is_up(all->config.commands) && lane->in_flight < IN_FLIGHT_MAX &&
           lane_has_more(lane)) {
        if (!TAILQ_EMPTY(&lane->ended))
            session_holders_send_close(lane);
        set = TAILQ_FIRST(&lane->due);
        if (set == NULL)
            continue;
        if (stands_right(set)) {
            serve(set);
        } else {
            go_behind(set);
            session_line_pump_soon(all); /* that lane may have been before this one */
        }
    }
}

static void pump(void *ctx)
{
    struct sessions *all = ctx;

    all->pump_due = false;
    for (size_t i = 0; i < all->lane_count; i++)
        pump_lane(all, &all->lanes[i]);
    session_renewal_send(all);
    session_line_check_drained(all);
}

void session_line_pump_soon(struct sessions *all)
{
    if (all->pump_due || !keyspace_is_up(all->config.commands) || !has_more(all))
        return;
    all->pump_due = true;
    loop_defer(all->config.loop, pump, all);
}

void session_line_stop(struct sessions *all)
{
    if (all->pump_due)
        loop_undefer(all->config.loop, pump, all);
    all->pump_due = false;
}

void session_line_add(struct session_set *set)
{
    struct sessions *all = set->all;

    if (!set->due) {
        heartbeat_cancel(all->wheel, &set->beat);
        join_lane(set);
        set->due = true;
    }
    session_line_pump_soon(all);
}

void session_line_check_drained(struct sessions *all)
{
    void (*fn)(void *ctx) = all->on_drained;

    if (fn == NULL)
        return;
    if (keyspace_is_up(all->config.commands) && (all->in_flight > 0 || has_more(all)))
        return;
    all->on_drained = NULL;
    fn(all->ctx);
}
