#include "clients/unseen.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/number.h"
#include "channels/batch.h"
#include "channels/follow.h"
#include "clients/client.h"
#include "clients/inbox_start.h"
#include "identity/key_names.h"
#include "net/conn.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "wire/event.h"

#define BADGE_BYTES 65536

/* A question under way. */
struct unseen {
    struct client *client; /* its memory is kept by sender_call_begin() */
    unseen_fn fn;
    struct key_buffer buffer;
    struct notify_str inbox; /* in buffer */
    struct batch found;      /* newest first */
    struct notify_id last;   /* where the box ended */
    bool known;              /* last is what Redis said */
    bool whole;              /* all that there is, or may be, was found */
};

#define QUESTION_BYTES (sizeof(struct unseen) + UNSEEN_BYTES)

static void on_portion(void *ctx, const struct resp *reply);

static void end_question(struct unseen *unseen)
{
    struct client *client = unseen->client;

    batch_release(&unseen->found);
    free(unseen);
    client_call_end(client, QUESTION_BYTES);
}

/* They are seen when they are delivered. Nobody waits for the reply: if it is lost, they come
 * again.
 */
static void on_marked(void *ctx, const struct resp *reply)
{
    (void)ctx;
    counter_add(COUNTER_MARKED_SEEN, (uint64_t)resp_count(reply));
}

static void mark_seen(const struct client *client, struct notify_str inbox, struct notify_id upto)
{
    char id[NOTIFY_ID_TEXT_MAX + 1];
    const struct notify_str words[] = {NOTIFY_STR("NOTIFY.SEEN"), inbox, NOTIFY_STR("UPTO"),
                                       notify_str_of(id, notify_id_format(id, upto))};
    const struct turn turn = {
        .argc = 4, .argv = words, .reply_bytes = 64, .fn = on_marked, .ctx = NULL};

    if (turns_command(client->shared->commands, &turn) < 0)
        log_debug("not_marked_seen", "client", log_int((int64_t)client->number));
}

/* Oldest first, as far as there is room; those that were sent are left in found. Returns up to
 * where that is: what is behind it is brought by following from there. */
static struct notify_id deliver(struct unseen *unseen)
{
    struct client *client = unseen->client;
    struct batch *found = &unseen->found;

    for (size_t i = found->len; i-- > 0;) {
        struct event *event = found->events[i];
        if (event_excludes(event, client_session(client)) ||
            sender_enqueue(&client->sender, NULL, event))
            continue;
        struct notify_id upto = notify_id_before(event->id);
        batch_drop_first(found, i + 1);
        return upto;
    }
    return unseen->last;
}

/* NULL: out of memory. Then it is followed from now on, and what was sent may come again. */
static struct inbox_start *make_start(const struct batch *sent, struct notify_id from)
{
    struct inbox_start *start = malloc(sizeof(*start) + sent->len * sizeof(struct notify_id));

    if (start == NULL)
        return NULL;
    start->from = from;
    start->unmarked = (struct notify_id){0, 0};
    start->len = (uint32_t)sent->len;
    for (size_t i = 0; i < sent->len; i++)
        start->had[i] = sent->events[i]->id;
    return start;
}

static void conclude(struct unseen *unseen)
{
    struct client *client = unseen->client;
    struct notify_id from;

    if (client_is_closed(client)) {
        end_question(unseen);
        return;
    }
    from = deliver(unseen);
    client->inbox_start = unseen->known ? make_start(&unseen->found, from) : NULL;
    if (client->inbox_start != NULL && unseen->whole && unseen->found.len > 0)
        client->inbox_start->unmarked = from;
    unseen->fn(client, client->inbox_start == NULL ? NULL : &from);
    end_question(unseen);
}

static bool on_turn(void *ctx)
{
    struct unseen *unseen = ctx;

    sender_call_goes_on(&unseen->client->sender);
    return !client_is_closed(unseen->client);
}

static void ask(struct unseen *unseen, redis_reply_fn fn, size_t reply_bytes, size_t argc,
                const struct notify_str *argv)
{
    const struct turn turn = {.argc = argc,
                              .argv = argv,
                              .reply_bytes = reply_bytes,
                              .fn = fn,
                              .on_turn = on_turn,
                              .ctx = unseen};
    int ret = turns_command(unseen->client->shared->commands, &turn);

    if (ret == 1)
        sender_call_waits(&unseen->client->sender);
    else if (ret < 0)
        conclude(unseen);
}

static size_t wanted(const struct unseen *unseen)
{
    size_t lacking = UNSEEN_MAX - unseen->found.len;

    return lacking < TURNS_ENTRIES ? lacking : TURNS_ENTRIES;
}

static void ask_portion(struct unseen *unseen)
{
    char end[NOTIFY_ID_TEXT_MAX + 2] = "+", count[NUMBER_TEXT_MAX + 1];
    const struct notify_str state = NOTIFY_STR("UNSEEN"), json = NOTIFY_STR("JSON");

    if (unseen->found.len > 0) {
        end[0] = '(';
        notify_id_format(end + 1, unseen->found.events[unseen->found.len - 1]->id);
    }
    ask(unseen, on_portion, TURNS_ENTRIES_BYTES, 8,
        (const struct notify_str[]){NOTIFY_STR("NOTIFY.REVRANGE"), unseen->inbox, notify_str_z(end),
                                    NOTIFY_STR("-"), NOTIFY_STR("COUNT"),
                                    number_text(count, (int64_t)wanted(unseen)), state, json});
}

static bool is_array(const struct resp *reply)
{
    return reply != NULL && reply->kind == RESP_ARRAY;
}

/* One more, which must be older than those before. */
static bool take(struct unseen *unseen, const struct resp *item)
{
    struct event *event = event_decode(resp_str(item));
    const struct event *newer =
        unseen->found.len == 0 ? NULL : unseen->found.events[unseen->found.len - 1];
    bool good = event != NULL && event->kind == EVENT_ENTRY && event_is_of(event, unseen->inbox) &&
                (newer == NULL || notify_id_cmp(event->id, newer->id) < 0) &&
                batch_push(&unseen->found, event) == 0;

    event_unref(event);
    return good;
}

/* There are as many as there may be. */
static bool is_full(const struct unseen *unseen, const struct resp *next)
{
    return unseen->found.len == UNSEEN_MAX ||
           (unseen->found.len > 0 && unseen->found.bytes + resp_str(next).len > UNSEEN_BYTES);
}

static void on_portion(void *ctx, const struct resp *reply)
{
    struct unseen *unseen = ctx;
    size_t asked = wanted(unseen), i = 0, len = is_array(reply) ? reply->len : 0;

    while (i < len && !is_full(unseen, reply->items[i]) && take(unseen, reply->items[i]))
        i++;
    /* It may have come since the box was asked where it ends. */
    if (unseen->found.len > 0 && notify_id_cmp(unseen->found.events[0]->id, unseen->last) > 0)
        unseen->last = unseen->found.events[0]->id;
    unseen->whole = is_array(reply) && (i == len || is_full(unseen, reply->items[i]));
    if (i == asked && i > 0 && !is_full(unseen, NULL))
        ask_portion(unseen);
    else
        conclude(unseen);
}

static void on_badge(void *ctx, const struct resp *reply)
{
    struct unseen *unseen = ctx;

    unseen->known = notify_id_parse(resp_str(resp_member(reply, "last")), 0, &unseen->last);
    if (unseen->known && resp_count(resp_member(reply, "unseen")) > 0)
        ask_portion(unseen);
    else
        conclude(unseen);
}

void unseen_ask(struct client *client, unseen_fn fn)
{
    struct unseen *unseen = calloc(1, sizeof(*unseen));

    if (unseen == NULL) {
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    unseen->client = client;
    unseen->fn = fn;
    unseen->inbox = client_inbox(client, &unseen->buffer);
    sender_call_begin(&client->sender, QUESTION_BYTES);
    ask(unseen, on_badge, BADGE_BYTES, 2,
        (const struct notify_str[]){NOTIFY_STR("NOTIFY.BADGE"), unseen->inbox});
}

/* Not before: a connection may be refused, or break, before it has been greeted. */
void unseen_on_greeted(struct client *client)
{
    struct inbox_start *start = client->inbox_start;
    struct key_buffer buffer;

    if (start == NULL || notify_id_is_zero(start->unmarked) || !sender_is_idle(&client->sender) ||
        client->sender.cut)
        return;
    mark_seen(client, client_inbox(client, &buffer), start->unmarked);
    start->unmarked = (struct notify_id){0, 0};
}

static bool has_more_to_mark(const struct inbox_start *start, struct notify_id pos)
{
    return !notify_id_is_zero(start->unmarked) || notify_id_cmp(pos, start->from) > 0;
}

/* The peer has said that it goes, so it has had what was sent before. What comes between that and
 * the end of its connection, it has not. */
static bool has_had_all(const struct client *client, const struct follow *inbox, int code)
{
    return (code == CONN_CLOSE_NORMAL || code == CONN_CLOSE_GOING_AWAY) && inbox != NULL &&
           inbox->state == FOLLOW_LIVE && client->sender.state == SENDER_READY &&
           client->sender.outbox.len == 0 && !client->sender.cut &&
           has_more_to_mark(client->inbox_start, inbox->pos);
}

void unseen_end(struct client *client, int code)
{
    struct key_buffer buffer;
    struct notify_str inbox;
    const struct follow *follow;

    if (client->inbox_start == NULL)
        return;
    inbox = client_inbox(client, &buffer);
    follow = client_find_follow(client, inbox);
    if (has_had_all(client, follow, code))
        mark_seen(client, inbox, follow->pos);
    free(client->inbox_start);
    client->inbox_start = NULL;
}
