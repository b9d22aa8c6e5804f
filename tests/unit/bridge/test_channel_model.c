/* The promise of a channel -- every entry once, in order, none left out -- under random events.
 *
 * Around real channels stands a model of everything else: boxes with entries that are published,
 * trimmed and deleted, and that are deleted as a whole and begin anew with smaller ids; the stream
 * of a subscription, which may be lost at any time, and in which others may say anything, also what
 * fits; reads that are asked, worked off and answered at different times, while the stream runs on;
 * and clients with small queues whose sockets are busy at random. When all has come to rest, each
 * follow must have had what it was promised.
 *
 * NOTIFY_CHANNEL_SCENARIOS sets how many scenarios run; NOTIFY_CHANNEL_SEED runs a single one and
 * prints what happens in it; with both, so many from that one on run. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "channels/batch.h"
#include "redis/catchup.h"
#include "channels/channel.h"
#include "clients/client.h"
#include "channels/follow.h"
#include "base/counters.h"
#include "base/log.h"
#include "loop_testing.h"
#include "random_testing.h"
#include "redis/resp.h"
#include "redis/subscription.h"

#define BOXES 2
#define CLIENTS 4
#define ENTRIES_MAX 1400 /* more than a trail holds */
#define PIPE_MAX 2048
#define QUEUE_MAX 16
#define ANSWER_MAX 8
#define TEXT_MAX 320
#define DEFAULT_SCENARIOS 20000
#define SETTLE_ROUNDS 2000

/* Boxes, as Redis has them. */

struct entry {
    struct notify_id id, prev;
    uint64_t rev;   /* of the box after it */
    uint32_t epoch; /* that begins with it; 0: none does */
    uint32_t under; /* the one of the box after it */
    bool gone, trimmed;
    bool lost; /* Redis does not know that it ever was */
};

#define PAST_MAX 3

struct past {
    uint32_t epoch;
    struct notify_id end;
};

struct box {
    struct entry entries[ENTRIES_MAX]; /* all that ever were, in the order of their coming */
    size_t len;
    size_t life; /* where those begin that came since the key was last deleted */
    struct notify_id last, trimmed;
    uint64_t rev, clock;
    uint32_t epoch; /* 0: there are none in this scenario, or no box */
    struct past past[PAST_MAX];
    size_t past_len;
    bool is_of_new_term; /* the next change begins an epoch */
};

/* What travels from Redis to the bridge over the subscription. */
enum pipe_kind {
    PIPE_CONFIRM,
    PIPE_ENTRY,
    PIPE_STATE,
    PIPE_GONE,
    PIPE_CHANGED, /* another box stands there */
    PIPE_FLUSHED, /* of all boxes: said on another channel, over the same link */
    PIPE_FORGED,
    PIPE_FORGED_STATE,
};

struct pipe_item {
    enum pipe_kind kind;
    size_t entry;        /* of PIPE_ENTRY and PIPE_STATE: which one it is about */
    struct entry forged; /* of PIPE_FORGED; of all others the revision */
};

struct pipe {
    struct pipe_item items[PIPE_MAX];
    size_t len;
};

/* The one read that a channel may have under way. */
struct question {
    bool asked, worked_off, from_now;
    struct notify_id from;
    uint64_t rev;
    uint32_t epoch;
    struct catchup_result result;
    struct resp list, entries[ANSWER_MAX];
    struct resp *items[ANSWER_MAX];
    char texts[ANSWER_MAX][TEXT_MAX];
};

struct subscription {
    char name[8];
};

struct side {
    struct channel *channel;
    struct subscription sub;
    struct box box;
    struct pipe pipe;
    struct question question;
    bool subscribed; /* in Redis */
    bool held;       /* and the channel knows */
    bool leaky;      /* a message was lost without a loss of the link: only the next one tells */
    bool unreadable; /* Redis refuses to read it out, */
    bool was_unreadable;
    bool lost_writes; /* Redis has forgotten entries */
    bool was_flushed; /* it said so, though nothing had happened to this box */
    /* It was deleted, and began anew with smaller ids, and perhaps nobody listened, or was told so:
     * if it has outgrown the former one when Redis is asked, nobody can tell that it has. */
    bool began_lower, began_unseen;
    struct entry forged; /* the last one that somebody else has made; with the id 0-0: none */
};

/* Clients. */

struct watched {
    struct follow follow; /* first: the channel knows this only */
    struct side *side;
    bool active;
    bool start_known;
    bool has_epoch; /* its position was given with the epoch of that entry: */
    size_t named;
    uint32_t epoch; /* that it has been told; 0: none */
    bool told_gap, told_changed;
    bool bogus; /* began at a position that the box did not know: what came before it was live is
                   not promised */
    /* Numbers of entries: the first that is to come, the one behind the last that came, and how
     * many there were when a gap was last told. */
    size_t start, seen, gap;
    bool had[ENTRIES_MAX];
};

struct queued {
    struct watched *watched;
    struct event *event;
};

struct peer {
    struct watched watched[BOXES];
    struct queued queue[QUEUE_MAX];
    size_t len, cap;
    bool busy;
};

struct model {
    struct channel_shared shared;
    struct side sides[BOXES];
    struct peer peers[CLIENTS];
    uint64_t seed;
    size_t answer_max;
    bool has_rollbacks, has_unreadable; /* kinds of fate in this scenario */
    bool has_nonsense;                  /* Redis answers anything: nothing is promised */
    bool has_foreign;                   /* others publish what they like */
    bool has_epochs;
    bool has_silent_epochs; /* that nothing says when they begin, as older modules have them */
    uint32_t terms;         /* epochs so far */
    bool tells_gone;        /* what happens to a box as a whole is published */
};

static struct model model;

/* For single stories: what else is to be done when something has come. */
static void (*on_got)(const struct event *event);
static int changes_had;

#define CHECK(condition, what)                                                                     \
    cr_assert(condition, "scenario %" PRIu64 ": %s (%s)", model.seed, what, #condition)

#define BOX(side) ((int)((side)-model.sides))
#define PEER(peer) ((int)((peer)-model.peers))
#define ID_FORMAT "%" PRIu64 "-%" PRIu64
#define ID_ARGS(id) (id).ms, (id).seq

/* Messages. */

static const char *epoch_member(uint32_t epoch)
{
    static char text[32];

    text[0] = '\0';
    if (epoch != 0)
        (void)snprintf(text, sizeof(text), "\"epoch\":%" PRIu32 ",", epoch);
    return text;
}

static size_t write_entry(char text[TEXT_MAX], const char *key, const struct entry *entry,
                          struct notify_id prev, uint64_t rev)
{
    return (size_t)snprintf(
        text, TEXT_MAX,
        "{\"type\":\"notification\",\"key\":\"%s\",\"id\":\"" ID_FORMAT "\",\"prev\":\"" ID_FORMAT
        "\",%s\"rev\":%" PRIu64 ",\"data\":{\"title\":\"t\"}}",
        key, ID_ARGS(entry->id), ID_ARGS(prev), epoch_member(entry->epoch), rev);
}

static size_t write_state(char text[TEXT_MAX], const char *type, const char *key,
                          const struct entry *entry, uint32_t epoch, uint64_t rev)
{
    return (size_t)snprintf(text, TEXT_MAX,
                            "{\"type\":\"%s\",\"key\":\"%s\",%s\"rev\":%" PRIu64
                            ",\"unread\":0,\"ids\":[\"" ID_FORMAT "\"]}",
                            type, key, epoch_member(epoch), rev, ID_ARGS(entry->id));
}

static void pipe_push(struct side *side, struct pipe_item item)
{
    if (!side->subscribed)
        return;
    CHECK(side->pipe.len < PIPE_MAX, "the model's pipe is large enough");
    side->pipe.items[side->pipe.len++] = item;
}

static struct pipe_item item_of(enum pipe_kind kind, size_t entry, uint64_t rev)
{
    return (struct pipe_item){.kind = kind, .entry = entry, .forged = {.rev = rev}};
}

static struct pipe_item pipe_pop(struct pipe *pipe)
{
    struct pipe_item first = pipe->items[0];

    pipe->len--;
    memmove(pipe->items, pipe->items + 1, pipe->len * sizeof(first));
    return first;
}

/* Forged ids are none that a box has. */
#define FORGED_SEQ UINT64_C(1000000)

static bool is_forged(struct notify_id id)
{
    return id.seq >= FORGED_SEQ;
}

static size_t find_entry(const struct box *box, struct notify_id id)
{
    size_t i = box->len;

    while (i > 0 && notify_id_cmp(box->entries[i - 1].id, id) != 0)
        i--;
    CHECK(i > 0, "only entries of the box are sent");
    return i - 1;
}

/* How many entries of the box's present life, and of those before, are not behind id. */
static size_t count_up_to(const struct box *box, struct notify_id id)
{
    size_t n = box->life;

    while (n < box->len && (box->entries[n].lost || notify_id_cmp(box->entries[n].id, id) <= 0))
        n++;
    return n;
}

/* What happens in Redis. */

/* The first change of a box under a new primary, or of a new box, begins an epoch: which, or 0. */
static uint32_t begin_epoch(struct box *box)
{
    if (!model.has_epochs || (box->epoch != 0 && !box->is_of_new_term))
        return 0;
    if (box->epoch != 0 && !notify_id_is_zero(box->last)) {
        if (box->past_len == PAST_MAX)
            memmove(box->past, box->past + 1, --box->past_len * sizeof(box->past[0]));
        box->past[box->past_len++] = (struct past){box->epoch, box->last};
    }
    box->is_of_new_term = false;
    return box->epoch = ++model.terms;
}

static void publish(struct side *side, bool may_be_lost)
{
    struct box *box = &side->box;
    struct entry *entry = &box->entries[box->len];

    if (box->len == ENTRIES_MAX)
        return;
    *entry = (struct entry){.id = {box->clock, below(2)}, .prev = box->last, .rev = ++box->rev};
    entry->epoch = begin_epoch(box);
    entry->under = box->epoch;
    for (size_t i = 0; i < box->len; i++) /* the number of each id is its own */
        if (box->entries[i].id.ms == box->clock && box->entries[i].id.seq >= entry->id.seq)
            entry->id.seq = box->entries[i].id.seq + 1 + below(2);
    box->clock += below(3);
    box->last = entry->id;
    trace("box %d: send " ID_FORMAT, BOX(side), ID_ARGS(entry->id));
    if (may_be_lost && !model.has_unreadable && chance(2)) {
        trace("box %d: its message is lost", BOX(side));
        side->leaky = true;
    } else {
        pipe_push(side, item_of(PIPE_ENTRY, box->len, entry->rev));
    }
    box->len++;
}

static void remove_entry(struct side *side)
{
    struct entry *entry;

    if (side->box.len == 0)
        return;
    entry = &side->box.entries[below(side->box.len)];
    if (!entry->gone) {
        (void)begin_epoch(&side->box);
        side->box.rev++;
    }
    entry->gone = true;
    trace("box %d: delete " ID_FORMAT, BOX(side), ID_ARGS(entry->id));
}

/* Takes up to three of the oldest away. */
static void trim(struct side *side)
{
    struct box *box = &side->box;
    size_t left = 1 + below(3);

    for (size_t i = box->life; i < box->len && left > 0; i++) {
        if (box->entries[i].gone)
            continue;
        box->entries[i].gone = box->entries[i].trimmed = true;
        box->trimmed = box->entries[i].id;
        left--;
    }
    if (box->last.ms != 0 || chance(20)) { /* one that follows a log begins with nothing in it */
        if (model.has_silent_epochs)
            (void)begin_epoch(box);
        box->rev++;
    }
    trace("box %d: trimmed up to " ID_FORMAT, BOX(side), ID_ARGS(box->trimmed));
}

static void change_state(struct side *side)
{
    struct box *box = &side->box;
    struct pipe_item item;

    if (box->len == box->life)
        return;
    item = item_of(PIPE_STATE, box->len - 1 - below(box->len - box->life) % 4, ++box->rev);
    item.forged.epoch = begin_epoch(box);
    pipe_push(side, item);
}

static void forget_entries(struct box *box, size_t keep)
{
    for (size_t i = keep; i < box->len; i++) {
        box->entries[i].gone = box->entries[i].lost = true;
        box->entries[i].trimmed = false; /* Redis does not know that any more */
    }
}

/* The box is as it was earlier; time goes on. */
static void roll_back(struct side *side)
{
    struct box *box = &side->box;
    size_t keep = box->life;

    if (box->len > box->life)
        keep += below(box->len - box->life);
    forget_entries(box, keep);
    while (keep > box->life && box->entries[keep - 1].lost)
        keep--;
    box->last = keep == box->life ? (struct notify_id){0, 0} : box->entries[keep - 1].id;
    box->rev = keep == box->life ? 0 : box->entries[keep - 1].rev;
    if (notify_id_cmp(box->last, box->trimmed) < 0)
        box->trimmed = box->last;
    if (box->epoch != 0) { /* the state of then, under another primary */
        while (box->past_len > 0 && notify_id_cmp(box->past[box->past_len - 1].end, box->last) > 0)
            box->epoch = box->past[--box->past_len].epoch;
        box->is_of_new_term = true;
        if (notify_id_is_zero(box->last))
            box->epoch = box->past_len = 0;
    }
    if (model.tells_gone)
        pipe_push(side, (struct pipe_item){.kind = PIPE_CHANGED,
                                           .forged = {.prev = box->last, .rev = box->rev}});
    side->lost_writes = true;
    trace("box %d: rolled back to " ID_FORMAT, BOX(side), ID_ARGS(box->last));
}

/* The key is deleted; what comes then has ids that may be smaller. */
static void delete_box(struct side *side)
{
    struct box *box = &side->box;

    if (notify_id_is_zero(box->last))
        return;
    forget_entries(box, 0);
    box->life = box->len;
    if (model.tells_gone)
        pipe_push(side, item_of(chance(30) ? PIPE_FLUSHED : PIPE_GONE, 0, box->rev + 1));
    box->last = box->trimmed = (struct notify_id){0, 0};
    box->rev = box->epoch = 0;
    box->past_len = 0;
    if (chance(50)) {
        box->clock = 1 + below(box->clock + 1);
        side->began_lower = true;
        side->began_unseen |= !side->held || !model.tells_gone;
    }
    side->lost_writes = true;
    trace("box %d: deleted, goes on at %" PRIu64, BOX(side), box->clock);
}

/* What others publish. */

/* An entry that no box has: often it fits to the last one or to the last forged one, as whoever
 * listens can make it; often it is far ahead. */
static struct entry make_forged(const struct side *side)
{
    const struct box *box = &side->box;
    bool goes_on = !notify_id_is_zero(side->forged.id) && chance(40);
    struct notify_id prev = goes_on ? side->forged.id : box->last;
    struct entry made = {
        .id = {prev.ms + below(3), FORGED_SEQ + side->forged.id.seq + 1 + below(3)},
        .prev = prev,
        .rev = (goes_on ? side->forged.rev : box->rev) + 1};

    if (chance(20))
        made.prev = (struct notify_id){0, 0};
    if (chance(20))
        made.prev.ms += below(5);
    if (chance(15))
        made.id.ms = chance(50) ? UINT64_C(4000000000000) : box->clock + below(50);
    if (chance(20))
        made.rev = chance(50) ? below(5) : UINT64_MAX - below(3);
    return made;
}

static void publish_foreign(struct side *side)
{
    struct box *box = &side->box;
    struct pipe_item item = {.kind = PIPE_FORGED};

    if (chance(5)) { /* or those of another node were */
        side->was_flushed = true;
        pipe_push(side, item_of(PIPE_FLUSHED, 0, 0));
        return;
    }

    if (box->len > 0 && chance(25)) { /* what was said is said again */
        pipe_push(side, item_of(PIPE_ENTRY, box->len - 1 - below(box->len) % 20, 0));
        return;
    }
    if (chance(20))
        item.kind = PIPE_FORGED_STATE;
    item.forged = make_forged(side);
    if (item.kind == PIPE_FORGED)
        side->forged = item.forged;
    pipe_push(side, item);
}

/* The subscription. */

static void subscribe(struct side *side)
{
    if (side->subscribed)
        return;
    trace("box %d: subscribed", BOX(side));
    side->subscribed = true;
    pipe_push(side, item_of(PIPE_CONFIRM, 0, 0));
}

static void lose_link(void)
{
    trace("link lost");
    for (struct side *side = model.sides; side < model.sides + BOXES; side++) {
        bool held = side->held;
        channel_flush(side->channel);
        side->subscribed = side->held = false;
        side->began_unseen |= side->began_lower;
        side->pipe.len = 0;
        if (held)
            channel_on_lost(side->channel);
    }
}

static size_t write_item(char text[TEXT_MAX], const struct side *side, const struct pipe_item *item)
{
    const struct entry *entry = &side->box.entries[item->entry];
    const char *key = side->sub.name;

    switch (item->kind) {
    case PIPE_ENTRY:
        return write_entry(text, key, entry, entry->prev, entry->rev);
    case PIPE_STATE:
        return write_state(text, "read", key, entry, item->forged.epoch, item->forged.rev);
    case PIPE_FORGED:
        return write_entry(text, key, &item->forged, item->forged.prev, item->forged.rev);
    case PIPE_CHANGED:
        return (size_t)snprintf(text, TEXT_MAX,
                                "{\"type\":\"changed\",\"key\":\"%s\",\"rev\":%" PRIu64
                                ",\"unread\":0,\"last\":\"" ID_FORMAT "\"}",
                                key, item->forged.rev + 1, ID_ARGS(item->forged.prev));
    case PIPE_GONE:
        return write_state(text, "gone", key, &item->forged, 0, item->forged.rev);
    default:
        return write_state(text, !model.has_rollbacks && item->forged.rev % 2 ? "gone" : "forged",
                           key, &item->forged, item->forged.epoch, item->forged.rev);
    }
}

static uint64_t times_given_up(void)
{
    return counter_values[COUNTER_STASHED_EVENTS] + counter_values[COUNTER_STASHED_BYTES];
}

static void hand_on(struct side *side, struct notify_str message)
{
    uint64_t before = times_given_up();

    channel_on_message(side->channel, message);
    side->was_flushed |= times_given_up() != before; /* it is read as if that had been said */
}

static void receive(struct side *side)
{
    struct pipe_item item;
    char text[TEXT_MAX];
    size_t len;

    if (side->pipe.len == 0)
        return;
    item = pipe_pop(&side->pipe);
    if (item.kind == PIPE_CONFIRM) {
        trace("box %d: held", BOX(side));
        side->held = true;
        channel_on_held(side->channel);
        return;
    }
    if (item.kind == PIPE_FLUSHED) {
        trace("box %d: flushed", BOX(side));
        channel_on_flushed(side->channel);
        return;
    }
    len = write_item(text, side, &item);
    trace("box %d: message %s", BOX(side), text);
    hand_on(side, notify_str_of(text, len));
}

struct notify_str subscription_channel(const struct subscription *sub)
{
    return notify_str_z(sub->name);
}

/* Reads. */

static struct side *side_of(const struct channel *channel)
{
    struct side *side = model.sides;

    while (side->channel != channel)
        side++;
    return side;
}

int catchup_ask(struct catchup *catchup, struct notify_str key, const struct notify_id *from,
                uint64_t rev, uint32_t epoch, void *owner)
{
    struct side *side = side_of(owner);

    CHECK(catchup == model.shared.catchup, "its own reader is asked");
    CHECK(notify_str_eq(key, notify_str_z(side->sub.name)), "for its own key");
    CHECK(!side->question.asked, "a channel has one read under way at most");
    side->question =
        (struct question){.asked = true, .from_now = from == NULL, .rev = rev, .epoch = epoch};
    if (from != NULL)
        side->question.from = *from;
    trace("box %d: asked from " ID_FORMAT "@%" PRIu64 "@%" PRIu32 "%s", BOX(side),
          ID_ARGS(side->question.from), rev, epoch, from == NULL ? " (now)" : "");
    return 0;
}

/* Whether from is none of the box; *ret_after: up to where it is. */
static bool is_of_other_branch(const struct box *box, const struct question *q,
                               struct notify_id *ret_after)
{
    if (q->epoch == 0 || q->epoch == box->epoch || notify_id_is_zero(q->from))
        return false;
    for (size_t i = box->past_len; i-- > 0;) {
        if (box->past[i].epoch != q->epoch)
            continue;
        if (notify_id_cmp(q->from, box->past[i].end) <= 0)
            return false;
        *ret_after = box->past[i].end;
        return true;
    }
    return true;
}

static void add_to_answer(struct question *q, const struct side *side, const struct entry *entry,
                          struct notify_id prev)
{
    size_t n = q->list.len++;

    struct entry read = *entry;

    read.epoch = 0; /* that is said once */
    q->entries[n] = (struct resp){.kind = RESP_STRING};
    q->entries[n].str = notify_str_of(
        q->texts[n], write_entry(q->texts[n], side->sub.name, &read, prev, side->box.rev));
    q->items[n] = &q->entries[n];
}

/* Redis looks: this is the moment whose state the answer tells. */
static void work_off(struct side *side)
{
    struct question *q = &side->question;
    struct notify_id prev = {0, 0};

    if (!q->asked || q->worked_off)
        return;
    q->worked_off = true;
    q->list = (struct resp){.kind = RESP_ARRAY, .items = q->items};
    q->result =
        (struct catchup_result){.last = side->box.last, .epoch = side->box.epoch, .after = q->from};
    trace("box %d: read at " ID_FORMAT, BOX(side), ID_ARGS(side->box.last));
    if (side->unreadable) {
        q->result = (struct catchup_result){.unreadable = true};
        return;
    }
    if (!q->from_now && notify_id_cmp(q->from, side->box.last) == 0 && q->rev == side->box.rev &&
        (q->epoch == 0 || q->epoch == side->box.epoch)) {
        q->result.epoch = q->epoch;
        return; /* such a key is left out of the reply, and nothing but its end is known */
    }
    q->result.rev = side->box.rev;
    q->result.trimmed = side->box.trimmed;
    q->result.entries = &q->list;
    q->result.gap = notify_id_is_zero(side->box.last) ||
                    notify_id_cmp(q->from, q->result.last) > 0 ||
                    notify_id_cmp(q->from, side->box.trimmed) < 0;
    q->result.gap |= is_of_other_branch(&side->box, q, &q->result.after);
    if (q->from_now)
        q->result.after = side->box.last;
    for (size_t i = side->box.life; i < side->box.len && !q->from_now; i++) {
        const struct entry *entry = &side->box.entries[i];
        if (entry->gone)
            continue;
        if (notify_id_cmp(entry->id, q->result.after) > 0) {
            if (q->list.len == model.answer_max) {
                q->result.more = true;
                return;
            }
            add_to_answer(q, side, entry, prev);
        }
        prev = entry->id;
    }
}

static void answer(struct side *side)
{
    struct question *q = &side->question;

    if (!q->worked_off)
        return;
    trace("box %d: answer: %zu entries, last " ID_FORMAT ", rev %" PRIu64 ", epoch %" PRIu32 "%s",
          BOX(side), q->list.len, ID_ARGS(q->result.last), q->result.rev, q->result.epoch,
          q->result.more ? ", more" : "");
    static struct question kept; /* the answer is its own while the channel asks anew */
    struct question *copy = &kept;

    *copy = *q;
    *q = (struct question){0};
    copy->list.items = copy->items;
    for (size_t i = 0; i < copy->list.len; i++) {
        copy->entries[i].str.ptr = copy->texts[i];
        copy->items[i] = &copy->entries[i];
    }
    if (copy->result.entries != NULL)
        copy->result.entries = &copy->list;
    channel_on_read(side->channel, &copy->result);
}

/* The answer was on its way when the other link broke: the question is asked again. */
static void lose_answer(struct side *side)
{
    if (side->question.worked_off)
        trace("box %d: answer lost", BOX(side));
    side->question.worked_off = false;
}

/* Clients: the same rules as in client_behind.c, with slots instead of bytes. */

/* Channels only hand clients on, and so an address is enough. */
static struct client *client_of(struct peer *peer)
{
    return (struct client *)(void *)peer;
}

static struct peer *peer_of(struct client *client)
{
    return (struct peer *)(void *)client;
}

/* {"type":"changed"} and "gone": what there is now must be asked for. */
static void note_change(struct watched *w)
{
    w->told_changed = true;
    w->gap = w->side->box.len;
}

static void note_gap(struct watched *w)
{
    trace("  box %d: told of a gap", BOX(w->side));
    w->told_gap = true;
    w->gap = w->side->box.len;
}

/* Did it begin in a box that is no more, and got nothing from that one? Nobody can tell its
 * position from one in the new box. */
static bool is_of_former_box(const struct watched *w)
{
    const struct box *box = &w->side->box;

    for (size_t i = w->start; i < box->life; i++)
        if (w->had[i])
            return false;
    return w->start > 0 && box->entries[w->start - 1].lost;
}

/* Redis had forgotten the entry when it was still on its way, or was kept by us. */
static bool may_be_had_again(const struct watched *w, size_t entry)
{
    return w->side->box.entries[entry].lost &&
           (w->side->began_unseen || w->told_gap || w->follow.gap);
}

static void get_entry(struct watched *w, struct notify_id id)
{
    size_t entry;

    CHECK(w->start_known, "no entry comes before it is known where a follow begins");
    if (is_forged(id)) {
        CHECK(model.has_foreign, "nobody made this one");
        return; /* who cannot be told from the module is believed */
    }
    entry = find_entry(&w->side->box, id);
    if (entry < w->seen && may_be_had_again(w, entry))
        return;
    if (entry < w->start && w->side->box.entries[entry].lost)
        return; /* the position is one in the next box, of which we have not heard yet */
    /* Its place is lost with the box or the writes, of which it was told, or will be when it is
     * live. What still exists follows, behind what was queued. */
    if ((w->follow.gap || w->told_gap) && w->side->lost_writes) {
        w->bogus = true;
        w->seen = entry < w->seen ? 0 : w->seen;
    }
    CHECK(w->bogus || entry >= w->start, "nothing comes that lies before the start");
    CHECK(entry >= w->seen, "entries come in order, each once");
    w->seen = entry + 1;
    w->had[entry] = true;
}

/* Whatever becomes of its connection, a client must be able to say under which epoch it had an
 * entry: else nobody finds out that it was lost since. */
static bool is_of_epoch(const struct watched *w, const struct event *event)
{
    return model.has_epochs && !model.has_silent_epochs && !model.has_nonsense &&
           !w->side->was_unreadable && event->kind == EVENT_ENTRY && !is_forged(event->id);
}

/* Epochs rise here. Of one that began later than that of the entry the place is good, too. */
static bool is_good_in(uint32_t epoch, const struct watched *w, const struct event *event)
{
    return !is_of_epoch(w, event) ||
           epoch >= w->side->box.entries[find_entry(&w->side->box, event->id)].under;
}

/* When it became live, or by an event since. */
static void hear_epoch(struct watched *w, const struct event *event)
{
    if (event->epoch != 0)
        w->epoch = event->epoch;
    CHECK(is_good_in(w->epoch, w, event), "who has got an entry knows under which epoch");
}

/* A stream of events says it with each. */
static void check_epochs(const struct watched *w, const struct batch *batch)
{
    for (size_t i = 0; i < batch->len; i++)
        CHECK(is_good_in(follow_box_epoch(&w->follow), w, batch->events[i]),
              "an entry goes out with its epoch");
}

/* 0-0: it names none. */
static struct notify_id id_of_state(const struct event *event)
{
    const char *ids = memmem(event->payload, event->len, "\"ids\":[\"", 8);
    struct notify_id id = {0, 0};
    struct notify_str text;

    if (ids == NULL || memmem(event->payload, event->len, "\"read\"", 6) == NULL)
        return id;
    text = notify_str_of(ids + 8, 0);
    while (text.ptr[text.len] != '"')
        text.len++;
    CHECK(notify_id_parse(text, 0, &id), "state changes name an entry");
    return id;
}

static void get_state(struct watched *w, struct notify_id id)
{
    size_t entry;
    bool was_due, can_be_had;

    if (notify_id_is_zero(id))
        return;
    entry = find_entry(&w->side->box, id);
    was_due = w->start_known && !w->bogus && entry >= w->start && entry >= w->gap &&
              !is_of_former_box(w) && !w->follow.gap && /* that is told when it is live */
              (!w->side->began_unseen || model.has_epochs);
    can_be_had = !w->side->box.entries[entry].gone && !w->side->leaky && !w->side->was_unreadable;
    CHECK(w->had[entry] || !was_due || !can_be_had,
          "a change does not overtake the entry that it changes");
}

static void get(struct peer *peer, struct watched *w, const struct event *event)
{
    trace("  client %d box %d gets %.*s", PEER(peer), BOX(w->side), (int)event->len,
          event->payload);
    if (model.has_nonsense)
        return;
    hear_epoch(w, event);
    if (event->kind == EVENT_ENTRY)
        get_entry(w, event->id);
    else if (memmem(event->payload, event->len, "\"changed\"", 9) != NULL ||
             memmem(event->payload, event->len, "\"gone\"", 6) != NULL)
        note_change(w);
    else
        get_state(w, id_of_state(event));
    if (on_got != NULL)
        on_got(event);
    peer->busy = chance(15);
}

static void peer_drop(struct peer *peer, const struct watched *only)
{
    size_t kept = 0;

    for (size_t i = 0; i < peer->len; i++) {
        if (only != NULL && peer->queue[i].watched != only)
            peer->queue[kept++] = peer->queue[i];
        else
            event_unref(peer->queue[i].event);
    }
    peer->len = kept;
}

static void peer_drain(struct peer *peer)
{
    while (peer->len > 0 && !peer->busy) {
        struct queued first = peer->queue[0];
        peer->len--;
        memmove(peer->queue, peer->queue + 1, peer->len * sizeof(first));
        get(peer, first.watched, first.event);
        event_unref(first.event);
    }
}

static void peer_overflow(struct peer *peer, struct follow *follow)
{
    trace("  client %d falls behind", PEER(peer));
    for (size_t i = 0; follow->state == FOLLOW_LIVE && i < peer->len; i++) {
        struct follow *f = &peer->queue[i].watched->follow;
        const struct event *event = peer->queue[i].event;
        if (f->state != FOLLOW_BEHIND && f != follow)
            channel_fall_behind(f);
        if (event->whole_box != WHOLE_BOX_STAYS)
            follow_lose(f);
        if (event->kind == EVENT_ENTRY)
            follow_keep_before(f, event->id);
    }
    if (follow->state == FOLLOW_LIVE)
        peer_drop(peer, NULL);
    if (follow->state != FOLLOW_BEHIND)
        channel_fall_behind(follow);
}

static bool peer_enqueue(struct peer *peer, struct watched *w, struct event *event)
{
    if (peer->len == peer->cap)
        return false;
    peer->queue[peer->len++] = (struct queued){w, event_ref(event)};
    if (event->kind == EVENT_ENTRY)
        w->follow.pos = event->id;
    return true;
}

static void deliver(struct follow *follow, struct batch *batch, struct notify_id newest)
{
    struct peer *peer = peer_of(follow->client);
    struct watched *w = (struct watched *)follow;

    CHECK(w->active, "nothing comes to a follow that has ended");
    CHECK(follow->state != FOLLOW_BEHIND, "nothing comes to a follow that is behind");
    CHECK(follow->state != FOLLOW_WAITING || !follow->gap || follow->gap_said,
          "who gets what stands behind a gap has been told of it");
    CHECK(notify_id_cmp(newest, batch_last_id(batch)) == 0, "newest is the batch's last");
    check_epochs(w, batch);
    if (peer->len == 0 && !peer->busy) {
        for (size_t i = 0; i < batch->len; i++)
            get(peer, w, batch->events[i]); /* one write: it cannot be cut in the middle */
        if (!notify_id_is_zero(newest))
            follow->pos = newest;
        return;
    }
    for (size_t i = 0; i < batch->len; i++) {
        if (peer_enqueue(peer, w, batch->events[i]))
            continue;
        peer_overflow(peer, follow);
        for (; i < batch->len; i++) {
            if (batch->events[i]->whole_box != WHOLE_BOX_STAYS)
                follow_lose(follow);
            if (batch->events[i]->kind == EVENT_ENTRY)
                follow_keep_before(follow, batch->events[i]->id);
        }
    }
    peer_drain(peer);
}

static void on_follow_live(struct follow *follow)
{
    struct watched *w = (struct watched *)follow;

    trace("  box %d: live at " ID_FORMAT "%s", BOX(w->side), ID_ARGS(follow->pos),
          follow->gap ? ", gap" : "");
    CHECK(follow->state == FOLLOW_LIVE, "live is live");
    if (!w->start_known) {
        w->start = w->seen = count_up_to(&w->side->box, follow->pos);
        w->start_known = true;
        /* Who knows what is in the stream still, or whether this is an entry at all. */
        w->bogus = w->side->was_unreadable || is_forged(follow->pos) ||
                   (w->start > 0 && w->side->lost_writes);
        if (w->bogus)
            w->seen = 0;
        CHECK(w->side->lost_writes || model.has_nonsense || model.has_foreign ||
                  notify_id_cmp(follow->pos, w->side->box.last) <= 0,
              "now is not later than now");
    }
    if (follow->gap && w->side->was_unreadable) { /* who can say whether its position is good? */
        w->bogus = true;
        for (w->seen = w->side->box.len; w->seen > 0 && !w->had[w->seen - 1];)
            w->seen--;
    }
    if (is_of_former_box(w))
        w->bogus = true;
    if (w->bogus)
        w->start = w->side->box.len;
    if (follow->gap)
        note_gap(w);
    w->epoch = follow_box_epoch(follow);
    follow->refilled = follow->gap = follow->gap_said = false;
}

static void on_gap(struct follow *follow)
{
    struct watched *w = (struct watched *)follow;

    note_gap(w);
    w->epoch = follow_box_epoch(follow);
}

/* Now and then there is no room to say so. */
static bool on_gap_ahead(struct follow *follow)
{
    struct watched *w = (struct watched *)follow;

    CHECK(follow->state == FOLLOW_WAITING && follow->gap && !follow->gap_said,
          "it is told before what stands behind it, and once");
    trace("  box %d: a gap is ahead", BOX(w->side));
    if (!chance(10))
        return true;
    channel_fall_behind(follow);
    return false;
}

static void on_refused(struct follow *follow)
{
    (void)follow;
    CHECK(false, "nothing is forbidden here");
}

static void look_ahead(const struct follow *follow)
{
    (void)follow; /* for speed alone */
}

static const struct follow_handlers follow_handlers = {
    .deliver = deliver,
    .look_ahead = look_ahead,
    .look_ahead_more = look_ahead,
    .on_live = on_follow_live,
    .on_gap = on_gap,
    .on_gap_ahead = on_gap_ahead,
    .on_refused = on_refused,
};

static void peer_refill(struct peer *peer)
{
    peer->busy = false;
    peer_drain(peer);
    for (size_t i = 0; i < BOXES && peer->len == 0 && !peer->busy; i++) {
        struct follow *follow = &peer->watched[i].follow;
        if (!peer->watched[i].active || follow->state != FOLLOW_BEHIND)
            continue;
        trace("client %d box %zu: refilled from " ID_FORMAT, PEER(peer), i, ID_ARGS(follow->pos));
        channel_resume(follow->channel, follow);
    }
}

/* Where a client may say that it was: anywhere in the box, and sometimes beyond. */
static struct notify_id any_position(const struct side *side)
{
    const struct box *box = &side->box;
    struct notify_id beyond = {box->clock + 5, 0};

    if (chance(5))
        return beyond;
    if (box->len == 0 || chance(10))
        return (struct notify_id){0, 0};
    return chance(50) ? box->last : box->entries[below(box->len)].id;
}

static void watched_begin(struct watched *w, const struct notify_id *from)
{
    memset(w->had, 0, sizeof(w->had));
    w->told_gap = w->told_changed = w->bogus = false;
    w->epoch = 0;
    w->start_known = from != NULL;
    w->gap = 0;
    if (from == NULL)
        return;
    w->start = w->seen = count_up_to(&w->side->box, *from);
    w->bogus = w->side->was_unreadable || is_forged(*from) ||
               notify_id_cmp(*from, w->side->box.last) > 0 ||
               (w->start > 0 && w->side->box.entries[w->start - 1].lost);
    if (w->bogus) {
        w->start = w->side->box.len;
        w->seen = 0;
    }
}

/* Clients that know the epoch of the entry say so. */
static void claim_epoch(struct watched *w)
{
    const struct box *box = &w->side->box;

    w->has_epoch = false;
    w->follow.epoch = 0;
    if (!model.has_epochs || w->follow.from_now || chance(40))
        return;
    if (notify_id_is_zero(w->follow.pos))
        w->follow.epoch = box->epoch;
    for (size_t i = box->len; i-- > 0;)
        if (notify_id_cmp(box->entries[i].id, w->follow.pos) == 0) {
            w->has_epoch = true;
            w->named = i;
            w->follow.epoch = w->epoch = box->entries[i].under;
            trace("  under epoch %" PRIu32, w->follow.epoch);
            return;
        }
}

static void follow_start(struct peer *peer, struct side *side)
{
    struct watched *w = &peer->watched[BOX(side)];
    struct notify_id from = any_position(side);
    bool now = chance(40);

    w->follow = (struct follow){.client = client_of(peer), .from_now = now};
    if (!now)
        w->follow.pos = from;
    w->active = true;
    w->side = side;
    watched_begin(w, now ? NULL : &from);
    trace("client %d box %d: follows from " ID_FORMAT "%s", PEER(peer), BOX(side), ID_ARGS(from),
          now ? " (now)" : "");
    claim_epoch(w);
    CHECK(channel_add(side->channel, &w->follow) == 0, "there is memory");
}

static void follow_end(struct peer *peer, struct watched *w)
{
    trace("client %d box %d: follows no more", PEER(peer), BOX(w->side));
    peer_drop(peer, w);
    channel_remove(w->side->channel, &w->follow);
    w->active = false;
}

static void follow_resume(struct peer *peer, struct watched *w)
{
    struct notify_id from = any_position(w->side);

    trace("client %d box %d: resumes from " ID_FORMAT, PEER(peer), BOX(w->side), ID_ARGS(from));
    peer_drop(peer, w);
    watched_begin(w, &from);
    w->follow.pos = from;
    w->follow.from_now = w->follow.gap = w->follow.gap_said = w->follow.refilled = false;
    claim_epoch(w);
    channel_resume(w->side->channel, &w->follow);
}

static void change_follows(struct peer *peer, struct side *side)
{
    struct watched *w = &peer->watched[BOX(side)];

    if (!w->active)
        follow_start(peer, side);
    else if (chance(50))
        follow_resume(peer, w);
    else
        follow_end(peer, w);
}

/* A scenario. */

/* A crash, without the last writes; or an older value was restored, or the key deleted. What nobody
 * tells of cannot be told from what others make up at the same time. */
static void change_box(struct side *side)
{
    bool deletes = chance(50);

    if (chance(50) || (model.has_foreign && !model.tells_gone && !deletes))
        lose_link();
    if (deletes)
        delete_box(side);
    else
        roll_back(side);
}

/* The link is back over which it is said that all keys were flushed: nobody knows whether that was
 * said meanwhile. It was not; nothing that was missed on others may be lacking for that. */
static void hear_of_all_again(struct side *side)
{
    trace("box %d: perhaps flushed", BOX(side));
    if (side->channel->state != CHANNEL_LIVE)
        channel_on_perhaps_flushed(side->channel);
}

/* What does not happen every day. */
static void change_fate(struct side *side)
{
    uint64_t dice = below(100);

    if (dice < 60) {
        lose_link();
    } else if (dice < 80) {
        hear_of_all_again(side);
    } else if (model.has_rollbacks && dice < 90) {
        change_box(side);
    } else if (model.has_unreadable) {
        side->unreadable = !side->unreadable;
        side->was_unreadable = true;
    }
}

static void step(void)
{
    struct side *side = &model.sides[below(BOXES)];
    struct peer *peer = &model.peers[below(CLIENTS)];
    uint64_t dice = below(model.has_foreign ? 110 : 100);

    if (dice >= 100)
        publish_foreign(side);
    else if (dice < 25)
        publish(side, true);
    else if (dice < 45)
        receive(side);
    else if (dice < 52)
        channel_take_turn(side->channel);
    else if (dice < 56)
        change_state(side);
    else if (dice < 58)
        remove_entry(side);
    else if (dice < 60)
        trim(side);
    else if (dice < 68)
        work_off(side);
    else if (dice < 76)
        answer(side);
    else if (dice < 77)
        lose_answer(side);
    else if (dice < 80)
        subscribe(side);
    else if (dice < 81)
        change_fate(side);
    else if (dice < 86)
        peer->busy = true;
    else if (dice < 93)
        peer_refill(peer);
    else
        change_follows(peer, side);
}

static bool side_is_quiet(const struct side *side)
{
    return side->held && side->pipe.len == 0 && !side->question.asked && !side->channel->dirty;
}

static bool is_quiet(void)
{
    for (const struct side *side = model.sides; side < model.sides + BOXES; side++)
        if (!side_is_quiet(side))
            return false;
    for (const struct peer *peer = model.peers; peer < model.peers + CLIENTS; peer++) {
        if (peer->len > 0 || peer->busy)
            return false;
        for (size_t i = 0; i < BOXES; i++)
            if (peer->watched[i].active && peer->watched[i].follow.state != FOLLOW_LIVE)
                return false;
    }
    return true;
}

static void settle_side(struct side *side)
{
    subscribe(side);
    while (side->pipe.len > 0)
        receive(side);
    channel_take_turn(side->channel);
    work_off(side);
    answer(side);
    channel_take_turn(side->channel);
}

static void settle(void)
{
    int rounds = 0;

    trace("settling");
    for (struct side *side = model.sides; side < model.sides + BOXES; side++) {
        subscribe(side);
        if (side->leaky || model.has_epochs)
            publish(side, false);
    }
    for (; rounds < SETTLE_ROUNDS && !is_quiet(); rounds++) {
        for (struct side *side = model.sides; side < model.sides + BOXES; side++)
            settle_side(side);
        for (struct peer *peer = model.peers; peer < model.peers + CLIENTS; peer++)
            peer_refill(peer);
    }
    for (struct peer *p = model.peers; p < model.peers + CLIENTS; p++)
        for (int i = 0; i < BOXES; i++)
            if (p->watched[i].active)
                trace("client %d box %d: state %d at " ID_FORMAT " under %" PRIu32, PEER(p), i,
                      p->watched[i].follow.state, ID_ARGS(p->watched[i].follow.pos),
                      p->watched[i].follow.epoch);
    CHECK(rounds < SETTLE_ROUNDS, "it comes to rest");
}

static void check_follow(const struct watched *w)
{
    const struct box *box = &w->side->box;
    bool may_lack = w->side->was_unreadable || w->side->lost_writes || w->side->was_flushed;

    CHECK(w->start_known, "a live follow knows where it began");
    if (w->has_epoch && !w->side->was_unreadable)
        CHECK(!box->entries[w->named].lost || w->told_gap || w->told_changed,
              "whose position was lost is told so");
    if (w->side->began_unseen && (!model.has_epochs || w->side->was_unreadable))
        return;
    for (size_t i = w->start; i < box->len; i++) {
        const struct entry *entry = &box->entries[i];
        if (w->had[i])
            continue;
        if (!entry->gone)
            trace("lacks " ID_FORMAT, ID_ARGS(entry->id));
        CHECK(entry->gone || (may_lack && i < w->gap), "every entry arrives that still exists");
        CHECK(!entry->trimmed || w->told_gap || w->told_changed,
              "who lacks a trimmed entry is told of a gap");
    }
    CHECK(!w->told_gap || w->bogus || may_lack || model.has_foreign ||
              count_up_to(box, box->trimmed) > w->start,
          "gaps are told only of what was trimmed");
}

static void check_all(void)
{
    for (size_t p = 0; p < CLIENTS; p++)
        for (size_t i = 0; i < BOXES; i++)
            if (model.peers[p].watched[i].active) {
                trace("checking client %zu box %zu", p, i);
                check_follow(&model.peers[p].watched[i]);
            }
}

static void scenario_begin(uint64_t seed)
{
    static const size_t recent_bytes[] = {0, 600, 1500, 1000000};
    static const size_t stash_bytes[] = {0, 300, 1500, 1000000};
    static const size_t ahead_bytes[] = {0, 1, 2000, 5000};

    memset(&model, 0, sizeof(model));
    model.seed = seed;
    model.shared.handlers = &follow_handlers;
    model.shared.loop = LOOP_TESTING;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    random_begin(seed);
    model.has_rollbacks = chance(30);
    model.has_unreadable = chance(20);
    model.has_foreign = !model.has_unreadable && chance(40);
    model.tells_gone = chance(50);
    model.has_epochs = chance(50);
    model.has_silent_epochs = chance(30);
    model.answer_max = 1 + below(ANSWER_MAX);
    TAILQ_INIT(&model.shared.dirty);
    model.shared.catchup = (struct catchup *)&model; /* only handed on */
    model.shared.recent.bytes_max = recent_bytes[below(4)];
    model.shared.recent.events_max = chance(50) ? 1 + below(6) : 64;
    model.shared.stash_bytes_max = chance(70) ? 10000000 : stash_bytes[below(4)];
    model.shared.ahead_bytes_max = chance(60) ? 10000000 : ahead_bytes[below(4)];
    for (int i = 0; i < BOXES; i++) {
        struct side *side = &model.sides[i];
        side->channel = channel_new(&model.shared);
        cr_assert_not_null(side->channel);
        (void)snprintf(side->sub.name, sizeof(side->sub.name), "box%c", (char)('0' + i));
        side->channel->sub = &side->sub;
        side->box.clock = 1;
    }
    for (struct peer *peer = model.peers; peer < model.peers + CLIENTS; peer++)
        peer->cap = 1 + below(QUEUE_MAX - 1);
    model.shared.hears_former = chance(30);
}

static void scenario_end(void)
{
    for (struct peer *peer = model.peers; peer < model.peers + CLIENTS; peer++)
        for (size_t i = 0; i < BOXES; i++)
            if (peer->watched[i].active)
                follow_end(peer, &peer->watched[i]);
    for (struct side *side = model.sides; side < model.sides + BOXES; side++)
        channel_free(side->channel);
    CHECK(model.shared.recent.bytes == 0, "what is kept is counted");
    CHECK(model.shared.stash_bytes == 0, "and so is what is stashed");
    CHECK(model.shared.ahead_bytes == 0, "and what waits to be handed on");
    CHECK(TAILQ_EMPTY(&model.shared.dirty), "a freed channel is not dirty");
}

static void scenario_run(uint64_t seed)
{
    uint64_t steps;

    scenario_begin(seed);
    steps = 20 + below(300);
    for (uint64_t i = 0; i < steps; i++)
        step();
    settle();
    check_all();
    scenario_end();
}

Test(channel_model, every_follow_gets_every_entry_once_and_in_order, .timeout = 280)
{
    random_scenarios_play(scenario_run, "NOTIFY_CHANNEL_SEED", "NOTIFY_CHANNEL_SCENARIOS",
                          DEFAULT_SCENARIOS);
}

/* Single stories, told with the model. */

static struct side *story_begin(void)
{
    scenario_begin(0);
    model.has_rollbacks = model.has_unreadable = model.has_foreign = false;
    model.shared.stash_bytes_max = model.shared.ahead_bytes_max = 10000000;
    return &model.sides[0];
}

static void story_end(void)
{
    settle();
    check_all();
    scenario_end();
}

/* Everything that is on its way arrives. */
static void let_run(struct side *side)
{
    for (int i = 0; i < 10; i++)
        settle_side(side);
}

static struct watched *follow_from(size_t peer, struct side *side, const struct notify_id *from)
{
    struct watched *w = &model.peers[peer].watched[BOX(side)];

    w->follow = (struct follow){.client = client_of(&model.peers[peer]), .from_now = from == NULL};
    if (from != NULL)
        w->follow.pos = *from;
    w->active = true;
    w->side = side;
    watched_begin(w, from);
    cr_assert_eq(channel_add(side->channel, &w->follow), 0);
    return w;
}

Test(channel_model, a_position_that_the_server_does_not_know_is_a_gap)
{
    struct side *side = story_begin();
    struct watched *w;

    publish(side, false);
    w = follow_from(0, side, &(struct notify_id){999, 0});
    let_run(side);
    cr_assert(w->told_gap);
    story_end();
}

Test(channel_model, a_position_is_a_gap_where_nothing_can_be_read)
{
    struct side *side = story_begin();

    side->unreadable = side->was_unreadable = true;
    publish(side, false);
    (void)follow_from(0, side, NULL);
    let_run(side);
    struct watched *late = follow_from(1, side, &side->box.last);
    let_run(side);
    cr_assert_eq(late->follow.state, FOLLOW_LIVE);
    cr_assert(late->told_gap);
    cr_assert_not(model.peers[0].watched[0].told_gap, "who begins now lacks nothing");
    publish(side, false);
    let_run(side);
    cr_assert(late->had[1], "and it listens");
    story_end();
}

Test(channel_model, what_a_full_stash_gives_up_is_read_again)
{
    struct side *side = story_begin();

    (void)follow_from(0, side, &(struct notify_id){0, 0});
    (void)follow_from(1, side, &(struct notify_id){0, 0});
    publish(side, false);
    let_run(side);
    side->subscribed = false; /* its message is lost */
    publish(side, false);
    side->subscribed = true;
    publish(side, false);
    receive(side);
    cr_assert(side->question.asked);
    work_off(side);
    publish(side, false); /* after Redis has looked: only the stash knows of it */
    receive(side);
    for (int i = 0; i < 5000; i++) {
        change_state(side);
        receive(side);
    }
    story_end();
}

Test(channel_model, what_all_channels_stash_together_has_a_limit)
{
    struct side *sides = story_begin();

    model.shared.stash_bytes_max = 1000;
    for (int i = 0; i < BOXES; i++) {
        (void)follow_from((size_t)i, &sides[i], NULL);
        subscribe(&sides[i]);
        receive(&sides[i]);
        cr_assert(sides[i].question.asked);
    }
    for (int i = 0; i < 200; i++) {
        publish(&sides[i % BOXES], false);
        receive(&sides[i % BOXES]);
        cr_assert_leq(model.shared.stash_bytes, 1000);
    }
    cr_assert_gt(counter_values[COUNTER_STASHED_BYTES], 0);
    story_end();
}

Test(channel_model, what_there_is_no_room_for_is_read_when_the_turn_of_its_channel_comes)
{
    struct side *sides = story_begin();
    uint64_t dropped = counter_values[COUNTER_AHEAD_DROPPED];
    struct watched *w[BOXES];

    for (int i = 0; i < BOXES; i++) {
        w[i] = follow_from((size_t)i, &sides[i], NULL);
        let_run(&sides[i]);
    }
    model.shared.ahead_bytes_max = 1000;
    for (int i = 0; i < 100; i++) {
        publish(&sides[i % BOXES], false);
        receive(&sides[i % BOXES]);
        cr_assert_leq(model.shared.ahead_bytes, 1000 + 1000, "by one more at the most");
    }
    cr_assert_gt(counter_values[COUNTER_AHEAD_DROPPED] - dropped, 80);
    cr_assert(!sides[0].question.asked && !sides[1].question.asked, "nothing is asked before");
    settle();
    cr_assert_eq(model.shared.ahead_bytes, 0);
    for (int i = 0; i < BOXES; i++) {
        cr_assert_eq(w[i]->seen, 50);
        cr_assert_not(w[i]->told_gap);
    }
    story_end();
}

Test(channel_model, what_is_dropped_while_redis_is_read_is_read_behind_that)
{
    struct side *side = story_begin();
    struct watched *w = follow_from(0, side, NULL);

    let_run(side);
    side->subscribed = false; /* its message is lost */
    publish(side, false);
    side->subscribed = true;
    publish(side, false);
    receive(side);
    cr_assert(side->question.asked);
    work_off(side);
    model.shared.ahead_bytes_max = 0;
    publish(side, false); /* after Redis has looked */
    receive(side);
    model.shared.ahead_bytes_max = 10000000;
    answer(side);
    cr_assert_eq(w->seen, 2, "what was read is handed on");
    cr_assert(side->question.asked, "and Redis asked for the rest");
    let_run(side);
    cr_assert_eq(w->seen, 3);
    story_end();
}

/* As when much has been read ahead: the older half of the trail is believed for good meanwhile. */
Test(channel_model, an_answer_behind_more_messages_than_a_trail_holds_is_none_of_another_box)
{
    struct side *side = story_begin();
    struct watched *w = follow_from(0, side, NULL);

    let_run(side);
    for (int i = 0; i < TRAIL_CHECK; i++) {
        publish(side, false);
        receive(side);
    }
    cr_assert(side->question.asked);
    work_off(side);
    for (int i = 0; i < TRAIL_MAX + TRAIL_MAX / 8; i++) {
        publish(side, false);
        receive(side);
    }
    answer(side);
    cr_assert_not(w->told_gap);
    story_end();
}

Test(channel_model, an_event_that_is_not_stored_and_has_no_room_counts_as_lost)
{
    struct side *side = story_begin();
    uint64_t lost = counter_values[COUNTER_EVENTS_LOST_VOLATILE];

    (void)follow_from(0, side, NULL);
    (void)follow_from(1, side, NULL);
    let_run(side);
    model.shared.ahead_bytes_max = 0;
    channel_on_message(side->channel, NOTIFY_STR("{\"type\":\"t\",\"key\":\"box0\",\"data\":{}}"));
    cr_assert_eq(counter_values[COUNTER_EVENTS_LOST_VOLATILE] - lost, 2);
    cr_assert_not(side->channel->dirty, "there is nothing to be read");
    cr_assert_eq(side->channel->state, CHANNEL_LIVE);
    story_end();
}

static void count_changes(const struct event *event)
{
    changes_had += memmem(event->payload, event->len, "\"read\"", 6) != NULL;
}

Test(channel_model, a_change_comes_once_to_each_live_follow)
{
    struct side *side = story_begin();

    on_got = count_changes;
    for (size_t i = 0; i < CLIENTS; i++)
        (void)follow_from(i, side, NULL);
    publish(side, false);
    let_run(side);
    change_state(side);
    let_run(side);
    settle();
    cr_assert_eq(changes_had, CLIENTS);
    story_end();
}

Test(channel_model, a_change_that_comes_while_a_hole_is_read_is_not_lost)
{
    struct side *side = story_begin();

    on_got = count_changes;
    for (size_t i = 0; i < CLIENTS; i++)
        (void)follow_from(i, side, NULL);
    publish(side, false);
    let_run(side);
    side->subscribed = false; /* its message is lost */
    publish(side, false);
    side->subscribed = true;
    publish(side, false);
    change_state(side);
    receive(side);
    receive(side);
    cr_assert_eq(changes_had, 0);
    settle();
    cr_assert_eq(changes_had, CLIENTS);
    story_end();
}

Test(channel_model, newcomers_who_begin_far_back_do_not_hold_up_those_on_their_way)
{
    struct side *side = story_begin();
    struct watched *first;
    int answers = 0;

    model.answer_max = 2;
    for (int i = 0; i < 40; i++)
        publish(side, false);
    subscribe(side);
    receive(side);
    work_off(side);
    answer(side);
    first = follow_from(0, side, &(struct notify_id){0, 0});
    for (; first->follow.state != FOLLOW_LIVE; answers++) {
        struct peer *late = &model.peers[1 + answers % 3];
        if (late->watched[0].active)
            follow_end(late, &late->watched[0]);
        (void)follow_from((size_t)(late - model.peers), side, &(struct notify_id){0, 0});
        work_off(side);
        answer(side);
        cr_assert_lt(answers, 30);
        for (struct peer *peer = model.peers; peer < model.peers + CLIENTS; peer++)
            peer_refill(peer);
    }
    story_end();
}

/* All keys are deleted; ids go on rising, by the clock. */
static void flush_all_keys(struct side *side)
{
    uint64_t clock = side->box.clock;

    model.tells_gone = false;
    delete_box(side);
    side->box.clock = clock;
    side->began_lower = side->began_unseen = false;
    pipe_push(side, item_of(PIPE_FLUSHED, 0, 0));
}

/* The answer may come before the news, since it takes another link. */
Test(channel_model, what_is_written_behind_a_flush_arrives_though_somebody_asked_from_far_ahead)
{
    struct side *side = story_begin();
    struct watched *w = follow_from(0, side, NULL);

    for (int i = 0; i < 3; i++)
        publish(side, false);
    let_run(side);
    (void)follow_from(1, side, &(struct notify_id){999, 0});
    cr_assert(side->question.asked);
    flush_all_keys(side);
    publish(side, false);
    publish(side, false);
    work_off(side);
    answer(side);
    let_run(side);
    cr_assert(w->had[3] && w->had[4]);
    story_end();
}

/* The entry that was had last was deleted, and the links came back in the other order. */
Test(channel_model, what_was_missed_comes_though_all_keys_may_have_been_flushed_meanwhile)
{
    struct side *side = story_begin();
    struct watched *w = follow_from(0, side, NULL);

    for (int i = 0; i < 3; i++)
        publish(side, false);
    let_run(side);
    side->box.entries[2].gone = true;
    side->box.rev++;
    lose_link();
    publish(side, false);
    subscribe(side);
    receive(side);
    cr_assert(side->held && side->channel->state == CHANNEL_SYNCING);
    channel_on_perhaps_flushed(side->channel);
    let_run(side);
    cr_assert(w->had[3]);
    cr_assert_not(w->told_gap);
    story_end();
}

/* Redis was started again more often than a box keeps epochs, while the link was away. */
Test(channel_model,
     of_a_box_that_has_forgotten_our_epoch_what_stands_behind_our_place_is_told_and_comes)
{
    struct side *side = story_begin();
    struct watched *w;

    model.has_epochs = true;
    w = follow_from(0, side, NULL);
    publish(side, false);
    let_run(side);
    lose_link();
    for (size_t i = 1; i <= PAST_MAX + 1; i++) {
        side->box.is_of_new_term = true;
        publish(side, false);
    }
    let_run(side);
    cr_assert(w->told_gap);
    side->was_flushed = true; /* so it may be told */
    for (size_t i = 1; i <= PAST_MAX + 1; i++)
        cr_assert(w->had[i]);
    story_end();
}

/* As a replica does that has been made a primary before it had the box. */
Test(channel_model, whoever_says_an_id_that_redis_gives_too_begins_no_other_box)
{
    struct side *side = story_begin();
    struct watched *w = follow_from(0, side, &(struct notify_id){0, 0});
    struct pipe_item *forged;
    size_t next;

    let_run(side);
    publish(side, false);
    publish(side, false);
    lose_link();
    let_run(side); /* so Redis has vouched for them */
    next = side->box.len;
    publish(side, false);
    forged = &side->pipe.items[side->pipe.len - 1];
    forged->kind = PIPE_FORGED;
    forged->forged = side->box.entries[next];
    forged->forged.prev = (struct notify_id){0, 0};
    forged->forged.rev = 1;
    let_run(side);
    cr_assert(w->had[next]);
    cr_assert_not(w->told_gap);
    story_end();
}

/* It follows a log, say. Whoever knows that epoch waits for nothing. */
Test(channel_model, of_a_box_that_began_with_nothing_and_no_message_the_epoch_is_found_out)
{
    struct side *side = story_begin();
    struct watched *w = follow_from(0, side, &(struct notify_id){0, 0});

    model.has_epochs = true;
    let_run(side);
    (void)begin_epoch(&side->box);
    side->box.rev++;
    w->follow.epoch = side->box.epoch;
    channel_resume(side->channel, &w->follow);
    let_run(side);
    cr_assert_eq(w->follow.state, FOLLOW_LIVE);
    cr_assert_eq(side->channel->epoch, side->box.epoch);
    cr_assert_not(side->channel->reading, "and nothing more is asked");
    cr_assert_not(w->told_gap);
    story_end();
}

/* Who follows is told of the first with the loss of the former box. */
Test(channel_model, what_is_read_of_another_box_says_the_epoch_that_began_between_two_portions)
{
    struct side *side = story_begin();
    struct watched *w;

    model.has_epochs = true;
    model.answer_max = 2;
    w = follow_from(0, side, NULL);
    for (int i = 0; i < 3; i++)
        publish(side, false);
    let_run(side);
    lose_link();
    flush_all_keys(side);
    for (int i = 0; i < 3; i++)
        publish(side, false);
    subscribe(side);
    receive(side);
    work_off(side);
    answer(side);
    cr_assert(w->told_gap && side->question.asked, "it is read from its beginning");
    side->box.is_of_new_term = true;
    publish(side, false);
    settle();
    cr_assert(w->had[side->box.len - 1]);
    cr_assert_eq(w->epoch, side->box.epoch);
    story_end();
}

/* Somebody is served ahead of the channel: of what that reads itself only a portion came, too late.
 */
static struct watched *follow_ahead(struct side *side)
{
    struct watched *w;

    (void)follow_from(0, side, &(struct notify_id){0, 0});
    for (int i = 0; i < 4; i++)
        publish(side, false);
    let_run(side);
    lose_link();
    model.answer_max = 2;
    side->box.clock = 100;
    for (int i = 0; i < 3; i++)
        publish(side, false);
    subscribe(side);
    receive(side);
    lose_link();
    work_off(side);
    answer(side);
    w = follow_from(1, side, &side->box.last);
    subscribe(side);
    receive(side);
    work_off(side);
    answer(side);
    cr_assert_eq(w->follow.state, FOLLOW_LIVE);
    return w;
}

/* Another box begins, behind where the channel stands, and before those who are ahead. */
static void begin_anew_between(struct side *side, int entries)
{
    model.tells_gone = false;
    delete_box(side);
    side->box.clock = 50;
    side->began_lower = side->began_unseen = false;
    for (int i = 0; i < entries; i++)
        publish(side, false);
}

Test(channel_model, who_stood_ahead_in_a_box_that_is_gone_gets_what_the_next_one_holds)
{
    struct side *side = story_begin();
    struct watched *w = follow_ahead(side);

    begin_anew_between(side, 2);
    settle();
    for (size_t i = side->box.life; i < side->box.len; i++)
        cr_assert(w->had[i]);
    story_end();
}

Test(channel_model, who_stands_behind_the_end_of_the_box_is_told_and_gets_what_comes)
{
    struct side *side = story_begin();
    struct watched *w = follow_ahead(side);
    size_t next;

    begin_anew_between(side, 6); /* nothing but its end says that it is another one */
    settle();
    cr_assert(w->told_gap);
    next = side->box.len;
    publish(side, false);
    settle();
    cr_assert(w->had[next]);
    story_end();
}

/* Redis is started again, and has lost nothing: where somebody stands is good under what it was
 * written under. */
Test(channel_model, who_stood_ahead_when_an_epoch_began_has_missed_nothing_and_gets_nothing_twice)
{
    struct side *side = story_begin();
    struct watched *w;
    size_t next;

    model.has_epochs = true;
    w = follow_ahead(side);
    next = side->box.len;
    side->box.is_of_new_term = true;
    publish(side, false);
    let_run(side);
    cr_assert(w->had[next]);
    cr_assert_not(w->told_gap);
    cr_assert_eq(w->follow.state, FOLLOW_LIVE);
    story_end();
}

/* All that the channel knows it has heard since the box was empty; and so it is again. */
Test(channel_model, who_stood_ahead_of_what_was_believed_comes_back_when_the_box_is_empty)
{
    struct side *side = story_begin();
    struct watched *w;

    (void)follow_from(0, side, NULL);
    let_run(side);
    publish(side, false);
    let_run(side);
    side->box.clock = 100;
    publish(side, true);
    side->pipe.len = 0; /* its message is lost */
    w = follow_from(1, side, &side->box.last);
    work_off(side);
    answer(side);
    cr_assert_eq(w->follow.state, FOLLOW_LIVE);
    begin_anew_between(side, 0);
    work_off(side);
    answer(side);
    publish(side, false);
    settle();
    cr_assert(w->had[side->box.life]);
    story_end();
}

/* Somebody else publishes what fits before the module's next one is heard, which a read brings for
 * who begins further back. */
Test(channel_model, what_a_read_brings_of_what_was_believed_is_kept_for_nobody)
{
    struct side *side = story_begin();
    struct entry forged;

    model.has_foreign = true;
    model.shared.recent = (struct recent_budget){.bytes_max = 1000000, .events_max = 64};
    (void)follow_from(0, side, NULL);
    publish(side, false);
    let_run(side);
    (void)follow_from(1, side, &(struct notify_id){0, 0});
    publish(side, false);
    (void)follow_from(2, side, &side->box.last); /* comes from another bridge, which was faster */
    receive(side);
    forged = (struct entry){
        .id = {side->box.last.ms, FORGED_SEQ}, .prev = side->box.last, .rev = side->box.rev + 1};
    pipe_push(side, (struct pipe_item){.kind = PIPE_FORGED, .forged = forged});
    receive(side);
    publish(side, false);
    cr_assert(side->question.asked);
    work_off(side);
    answer(side);
    story_end();
}

/* Each of them is told the epoch by the first entry that it gets, which is another one for each. */
Test(channel_model, what_is_made_for_those_who_come_back_from_everywhere_is_held_within_the_limit)
{
    struct side *side = story_begin();
    struct recent_budget *budget = &model.shared.recent;

    model.has_epochs = true;
    *budget = (struct recent_budget){.bytes_max = 1000000, .events_max = 64};
    (void)follow_from(0, side, NULL);
    (void)follow_from(1, side, NULL); /* so that it is kept */
    let_run(side);
    for (int i = 0; i < 20; i++)
        publish(side, false);
    let_run(side);
    cr_assert_eq(side->channel->recent.events->len, 20);
    budget->bytes_max = budget->bytes + budget->bytes / 4;
    for (size_t i = 0; i < 19; i++) {
        struct notify_id from = side->box.entries[i].id;
        struct watched *w = follow_from(2, side, &from);
        let_run(side);
        follow_end(&model.peers[2], w);
        cr_assert_leq(recent_taken(budget), budget->bytes_max);
    }
    story_end();
}

/* Redis answers anything. */

static struct notify_id any_id(void)
{
    return (struct notify_id){below(10), below(3)};
}

static size_t write_nonsense(char text[TEXT_MAX], const struct side *side)
{
    struct entry entry = {.id = any_id()};
    static const char *const texts[] = {"", "{}", "[]", "x", "{\"type\":\"t\",\"key\":\"box0\"}"};

    if (chance(60))
        return write_entry(text, chance(80) ? side->sub.name : "other", &entry, any_id(), below(9));
    if (chance(30))
        return write_state(text, chance(50) ? "read" : "gone", side->sub.name, &entry, 0, below(9));
    return (size_t)snprintf(text, TEXT_MAX, "%s", texts[below(5)]);
}

static void answer_nonsense(struct side *side)
{
    static char texts[ANSWER_MAX][TEXT_MAX];
    struct resp entries[ANSWER_MAX], *items[ANSWER_MAX];
    struct resp list = {.kind = RESP_ARRAY, .len = below(ANSWER_MAX), .items = items};
    struct catchup_result result = {.last = any_id(),
                                    .trimmed = any_id(),
                                    .rev = below(5),
                                    .more = list.len > 0 && chance(60),
                                    .unreadable = chance(5),
                                    .entries = &list};

    for (size_t i = 0; i < list.len; i++) {
        entries[i] = (struct resp){.kind = chance(90) ? RESP_STRING : RESP_INTEGER};
        if (entries[i].kind == RESP_STRING)
            entries[i].str = notify_str_of(texts[i], write_nonsense(texts[i], side));
        items[i] = &entries[i];
    }
    if (result.unreadable)
        result = (struct catchup_result){.unreadable = true};
    side->question = (struct question){0};
    channel_on_read(side->channel, &result);
}

static void send_nonsense(struct side *side)
{
    char text[TEXT_MAX];

    channel_on_message(side->channel, notify_str_of(text, write_nonsense(text, side)));
}

static bool is_same_question(const struct question *a, const struct question *b)
{
    return a->from_now == b->from_now && notify_id_cmp(a->from, b->from) == 0;
}

static void nonsense_run(uint64_t seed)
{
    struct side *side = &model.sides[0];
    struct question before = {0};
    int same = 0;

    scenario_begin(seed);
    model.has_nonsense = true;
    for (int i = 0; i < 100; i++) {
        if (chance(20))
            change_follows(&model.peers[below(CLIENTS)], side);
        if (chance(5))
            lose_link();
        subscribe(side);
        receive(side);
        if (!side->question.asked)
            send_nonsense(side);
        if (!side->question.asked)
            continue;
        same = is_same_question(&before, &side->question) ? same + 1 : 0;
        CHECK(same < 20, "the same is not asked for ever");
        before = side->question;
        answer_nonsense(side);
    }
    settle();
    scenario_end();
}

Test(channel_model, whatever_a_server_answers_it_comes_to_rest_when_it_is_sane_again)
{
    for (uint64_t seed = 0; seed < 5000; seed++)
        nonsense_run(seed);
}

/* The same nonsense again and again, as a broken server might: it asks for no more than a few. */
Test(channel_model, an_answer_that_is_no_use_is_not_asked_for_again_and_again)
{
    struct side *side = story_begin();
    struct resp bad = {.kind = RESP_STRING, .str = NOTIFY_STR("no message")};
    struct resp *items[] = {&bad};
    struct resp list = {.kind = RESP_ARRAY, .len = 1, .items = items};
    struct watched *w = follow_from(0, side, &(struct notify_id){1, 0});
    int answers = 0;

    model.has_nonsense = true;
    subscribe(side);
    receive(side);
    for (; side->question.asked; answers++) {
        struct catchup_result result = {.last = {9, 0}, .more = true, .entries = &list};
        side->question = (struct question){0};
        channel_on_read(side->channel, &result);
        cr_assert_lt(answers, 5);
    }
    cr_assert_eq(w->follow.state, FOLLOW_LIVE);
    cr_assert(w->told_gap, "what could not be read is told");
    scenario_end();
}
