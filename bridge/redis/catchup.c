#include "redis/catchup.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/log_once.h"
#include "base/loop.h"
#include "base/number.h"
#include "redis/keyspace.h"
#include "redis/resp.h"
#include "redis/slot.h"

#define QUESTIONS_PER_COMMAND 64
#define COMMANDS_MAX 4 /* under way, with one server */
/* And at each server of a cluster, where a command is about the keys of one slot: so after a loss
 * there are thousands of small ones, which together bring no more than those few. */
#define LANE_COMMANDS_MAX 64
#define RETRY_MS 250

/* What the questions of one command may bring together: */
#define PORTION_BYTES (256 * 1024)    /* is aimed at, */
#define ENTRIES_MAX 128               /* and more entries never */
#define ENTRY_BYTES_FIRST (64 * 1024) /* what the module lets in, unless configured otherwise */

struct question {
    TAILQ_ENTRY(question) queue;
    struct notify_str key; /* borrowed from the owner */
    void *owner;
    struct notify_id from;
    uint64_t rev;   /* 0: not known */
    uint32_t epoch; /* under which from was given; 0: not known */
    bool from_now;
    bool alone; /* a command that it shared was refused: find out which question is at fault */
};

TAILQ_HEAD(question_queue, question);

/* Questions that may stand in one command: those of a slot, or with one server all. */
struct group {
    TAILQ_ENTRY(group) link; /* while it has any: of its lane */
    struct question_queue questions;
};

TAILQ_HEAD(group_queue, group);

/* What one server is asked. */
struct lane {
    struct group_queue groups; /* that have questions for it */
    size_t waiting;            /* these */
    size_t asked;              /* commands without an answer */
};

struct catchup {
    struct loop *loop;
    catchup_fn fn;
    struct keyspace *keys;       /* borrowed; NULL while down */
    struct question_queue queue; /* join their groups when they are sent for */
    struct question_queue later; /* were refused for now: join the queue when retry rings */
    struct group *groups;        /* owned, by slot, from the first time on that keys are up */
    struct lane lanes[KEYSPACE_LANES_MAX];
    struct lane away;  /* of groups whose server is not there: until catchup_up() */
    size_t lane_count; /* that may be used */
    struct loop_timer *retry;
    struct log_once said; /* of the log */
    size_t asked;         /* commands without an answer */
    size_t entry_bytes;   /* how large an entry is expected to be */
    size_t each;          /* how many entries a question is expected to bring */
    bool send_due, freed;
};

/* The questions of one command, in its order. */
struct command {
    struct catchup *catchup;
    struct lane *lane; /* where it counts */
    size_t len;
    struct question *questions[QUESTIONS_PER_COMMAND];
};

static void send_soon(struct catchup *catchup);
static void on_send_due(void *ctx);

static void on_retry(void *ctx)
{
    struct catchup *catchup = ctx;

    TAILQ_CONCAT(&catchup->queue, &catchup->later, queue);
    send_soon(catchup);
}

struct catchup *catchup_new(struct loop *loop, catchup_fn fn)
{
    struct catchup *catchup = calloc(1, sizeof(*catchup));

    if (catchup == NULL)
        return NULL;
    catchup->loop = loop;
    catchup->fn = fn;
    catchup->entry_bytes = ENTRY_BYTES_FIRST;
    catchup->each = 1;
    TAILQ_INIT(&catchup->queue);
    TAILQ_INIT(&catchup->later);
    for (size_t i = 0; i < KEYSPACE_LANES_MAX; i++)
        TAILQ_INIT(&catchup->lanes[i].groups);
    TAILQ_INIT(&catchup->away.groups);
    catchup->retry = loop_timer_new(loop, on_retry, catchup);
    if (catchup->retry == NULL) {
        free(catchup);
        return NULL;
    }
    return catchup;
}

static void free_when_idle(struct catchup *catchup)
{
    if (!catchup->freed || catchup->asked > 0)
        return;
    free(catchup->groups);
    free(catchup);
}

static void leave_lane(struct catchup *catchup, struct lane *lane)
{
    struct group *group;

    while ((group = TAILQ_FIRST(&lane->groups)) != NULL) {
        TAILQ_REMOVE(&lane->groups, group, link);
        TAILQ_CONCAT(&catchup->queue, &group->questions, queue);
    }
    lane->waiting = 0;
}

/* All questions are in the queue again: servers may have other keys now. */
static void leave_groups(struct catchup *catchup)
{
    for (size_t i = 0; i < catchup->lane_count; i++)
        leave_lane(catchup, &catchup->lanes[i]);
    leave_lane(catchup, &catchup->away);
}

void catchup_free(struct catchup *catchup)
{
    struct question *q;

    if (catchup == NULL)
        return;
    leave_groups(catchup);
    TAILQ_CONCAT(&catchup->queue, &catchup->later, queue);
    while ((q = TAILQ_FIRST(&catchup->queue)) != NULL) {
        TAILQ_REMOVE(&catchup->queue, q, queue);
        free(q);
    }
    loop_timer_free(catchup->retry);
    catchup->keys = NULL;
    loop_undefer(catchup->loop, on_send_due, catchup);
    catchup->freed = true;
    free_when_idle(catchup);
}

/* Portions. */

static uint64_t number_of(const struct resp *map, const char *name)
{
    int64_t number = resp_integer(resp_member(map, name), 0);

    return number < 0 ? 0 : (uint64_t)number;
}

static size_t entries_wanted(const struct catchup *catchup)
{
    size_t wanted = PORTION_BYTES / catchup->entry_bytes;

    return wanted < 1 ? 1 : wanted > ENTRIES_MAX ? ENTRIES_MAX : wanted;
}

static void count_entries(const struct resp *map, size_t *count, size_t *bytes)
{
    const struct resp *entries = resp_member(map, "entries");

    for (size_t i = 0; entries != NULL && i < entries->len; i++)
        *bytes += resp_str(entries->items[i]).len;
    *count += entries == NULL ? 0 : entries->len;
}

/* Where most boxes have more to tell than they could, fewer are asked at a time: what one brings
 * goes out together, so that thousands that are far behind do not get it by twos. */
static void expect(struct catchup *catchup, size_t answers, size_t unfinished)
{
    if (unfinished * 2 > answers && catchup->each < ENTRIES_MAX)
        catchup->each *= 2;
    else if (unfinished * 8 < answers && catchup->each > 1)
        catchup->each /= 2;
}

/* Entries that are larger than expected are believed at once, smaller ones by and by. */
static void adapt(struct catchup *catchup, const struct resp *reply)
{
    size_t count = 0, bytes = 0, unfinished = 0, least;

    for (size_t i = 0; i < reply->len; i++) {
        count_entries(reply->items[i], &count, &bytes);
        unfinished += number_of(reply->items[i], "more") != 0;
    }
    expect(catchup, reply->len, unfinished);
    least = catchup->entry_bytes - catchup->entry_bytes / (count == 0 ? 16 : 4);
    catchup->entry_bytes = count == 0 || bytes / count < least ? least : bytes / count;
}

/* Answers. */

static bool parse_id_of(const struct resp *map, const char *name, struct notify_id *ret)
{
    return notify_id_parse(resp_str(resp_member(map, name)), 0, ret);
}

static void answer(struct catchup *catchup, struct question *q, const struct catchup_result *result)
{
    void *owner = q->owner;

    free(q);
    catchup->fn(owner, result);
}

/* A key that is not in the reply has nothing to say: it ends where the question began. */
static void answer_from(struct catchup *catchup, struct question *q, const struct resp *map)
{
    struct catchup_result result = {.last = q->from, .epoch = q->epoch, .after = q->from};

    if (map != NULL) {
        (void)parse_id_of(map, "last", &result.last); /* is_answer_to() has looked */
        (void)parse_id_of(map, "trimmed", &result.trimmed);
        result.more = number_of(map, "more") != 0;
        result.rev = number_of(map, "rev");
        result.unread = number_of(map, "unread");
        result.epoch = (uint32_t)number_of(map, "epoch"); /* 24 bits */
        result.gap = number_of(map, "gap") != 0;
        (void)parse_id_of(map, "after", &result.after);
        if (notify_id_cmp(result.after, q->from) > 0)
            result.after = q->from;
        result.entries = resp_member(map, "entries");
        /* "more" without an entry would have us ask the same for ever. */
        if (result.entries == NULL || result.entries->len == 0)
            result.more = false;
    }
    answer(catchup, q, &result);
}

static bool is_answer_to(const struct resp *map, const struct question *q)
{
    struct notify_id last;

    return notify_str_eq(resp_str(resp_member(map, "key")), q->key) &&
           parse_id_of(map, "last", &last);
}

/* The reply's maps come in the order of the command's keys; those without news are left out, but
 * where a box ends now is always said. Finds the map of each question (or NULL). False: the reply
 * is something else. */
static bool find_maps(const struct command *command, const struct resp *reply,
                      const struct resp *maps[QUESTIONS_PER_COMMAND])
{
    size_t at = 0;

    if (reply->kind != RESP_ARRAY)
        return false;
    for (size_t i = 0; i < command->len; i++) {
        const struct question *q = command->questions[i];
        maps[i] = NULL;
        if (at < reply->len && is_answer_to(reply->items[at], q))
            maps[i] = reply->items[at++];
        else if (q->from_now)
            return false;
    }
    return at == reply->len;
}

static void put_back(struct command *command, struct question_queue *to, bool alone)
{
    for (size_t i = 0; i < command->len; i++) {
        command->questions[i]->alone = alone;
        TAILQ_INSERT_TAIL(to, command->questions[i], queue);
    }
}

static void ask_again(struct command *command, bool alone)
{
    put_back(command, &command->catchup->queue, alone);
}

static void ask_later(struct command *command, bool alone)
{
    struct catchup *catchup = command->catchup;

    if (TAILQ_EMPTY(&catchup->later))
        loop_timer_set(catchup->retry, RETRY_MS);
    put_back(command, &catchup->later, alone);
}

static void log_refusal(struct command *command, const char *text)
{
    struct catchup *catchup = command->catchup;
    struct notify_str key = command->questions[0]->key;
    unsigned skipped;

    if (log_once(&catchup->said, loop_now_ms(catchup->loop), text, &skipped))
        log_warn("catchup_refused", "text", text, "key", log_bytes(key.ptr, key.len), "keys",
                 log_int((int64_t)command->len), "times", log_int(skipped + 1));
}

/* A key of another type, or one that we may not read, stays so until someone acts; everything else
 * (LOADING, MASTERDOWN, a module not loaded yet) passes. */
static void on_refused(struct command *command, const struct resp *reply)
{
    struct catchup *catchup = command->catchup;
    bool lasting = resp_is_error(reply, "WRONGTYPE") || resp_is_error(reply, "NOPERM");

    log_refusal(command, reply->kind == RESP_ERROR ? log_bytes(reply->str.ptr, reply->str.len)
                                                   : "this is no answer to NOTIFY.SINCE");
    if (!lasting)
        ask_later(command, !resp_is_passing_error(reply));
    else if (command->len > 1)
        ask_again(command, true);
    else
        answer(catchup, command->questions[0], &(struct catchup_result){.unreadable = true});
}

static void on_answered(struct command *command, const struct resp *reply)
{
    const struct resp *maps[QUESTIONS_PER_COMMAND];

    if (resp_splits(reply) && command->len > 1) { /* their slot moves */
        ask_again(command, true);
        return;
    }
    if (!find_maps(command, reply, maps)) {
        on_refused(command, reply);
        return;
    }
    adapt(command->catchup, reply);
    for (size_t i = 0; i < command->len; i++)
        answer_from(command->catchup, command->questions[i], maps[i]);
}

/* What was lost with the link may have been too large for it. */
static void on_lost(struct command *command)
{
    command->catchup->entry_bytes = PORTION_BYTES;
    ask_again(command, false); /* goes out when the link is up */
}

static void free_questions(struct command *command)
{
    for (size_t i = 0; i < command->len; i++)
        free(command->questions[i]);
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct command *command = ctx;
    struct catchup *catchup = command->catchup;

    catchup->asked--;
    command->lane->asked--;
    if (catchup->freed)
        free_questions(command);
    else if (reply == NULL)
        on_lost(command);
    else
        on_answered(command, reply);
    free(command);
    send_soon(catchup);
    free_when_idle(catchup);
}

/* Questions. */

#define POSITION_TEXT_MAX (NOTIFY_ID_TEXT_MAX + 2 * (1 + 20)) /* id@rev@epoch */

static size_t put(char *out, struct notify_str text)
{
    memcpy(out, text.ptr, text.len);
    return text.len;
}

/* Behind an '@'. */
static size_t put_number(char *out, uint64_t value)
{
    char digits[20], *end = digits + sizeof(digits);
    char *number = notify_id_put_number(end, value);

    out[0] = '@';
    return 1 + put(out + 1, notify_str_of(number, (size_t)(end - number)));
}

static struct notify_str position_text(char out[POSITION_TEXT_MAX + 1], const struct question *q)
{
    size_t len;

    if (q->from_now)
        return NOTIFY_STR("$");
    len = notify_id_format(out, q->from);
    len += put_number(out + len, q->rev); /* no box has the revision 0: what is not known is said */
    if (q->epoch != 0)
        len += put_number(out + len, q->epoch);
    return notify_str_of(out, len);
}

/* Where many commands are under way, or are to be, each may bring less. */
static size_t entries_wanted_in(const struct catchup *catchup, const struct lane *lane)
{
    size_t commands = lane->asked + lane->waiting, wanted = entries_wanted(catchup);

    if (commands > LANE_COMMANDS_MAX)
        commands = LANE_COMMANDS_MAX;
    if (commands > COMMANDS_MAX)
        wanted = wanted * COMMANDS_MAX / commands;
    return wanted < 1 ? 1 : wanted;
}

/* Takes questions off the group: as many as may bring an entry each, and those that bring none; one
 * that must be alone gets a command of its own. Returns how many entries each may bring. */
static size_t choose_questions(struct group *group, struct command *command, size_t wanted)
{
    size_t bringing = 0, each = command->catchup->each;
    struct question *q;

    while ((q = TAILQ_FIRST(&group->questions)) != NULL && command->len < QUESTIONS_PER_COMMAND &&
           (command->len == 0 || !q->alone) &&
           (q->from_now || bringing == 0 || (bringing + 1) * each <= wanted)) {
        TAILQ_REMOVE(&group->questions, q, queue);
        command->questions[command->len++] = q;
        bringing += !q->from_now;
        if (q->alone)
            break;
    }
    return bringing == 0 ? 1 : wanted / bringing;
}

static int send_questions(struct command *command, size_t count)
{
    struct notify_str argv[2 * QUESTIONS_PER_COMMAND + 3] = {NOTIFY_STR("NOTIFY.SINCE")};
    char positions[QUESTIONS_PER_COMMAND][POSITION_TEXT_MAX + 1];
    char number[NUMBER_TEXT_MAX + 1];
    size_t argc = 1;

    for (size_t i = 0; i < command->len; i++) {
        argv[argc++] = command->questions[i]->key;
        argv[argc++] = position_text(positions[i], command->questions[i]);
    }
    argv[argc++] = NOTIFY_STR("COUNT");
    argv[argc++] = number_text(number, (int64_t)count);
    return keyspace_command(command->catchup->keys, on_reply, command, argc, argv);
}

/* Lanes. */

static struct lane *lane_of(struct catchup *catchup, const struct group *group)
{
    return &catchup->lanes[keyspace_lane(catchup->keys, TAILQ_FIRST(&group->questions)->key)];
}

static void stand_in_lane(struct lane *lane, struct group *group)
{
    TAILQ_INSERT_TAIL(&lane->groups, group, link);
    lane->waiting++;
}

static void take_off_lane(struct lane *lane, struct group *group)
{
    TAILQ_REMOVE(&lane->groups, group, link);
    lane->waiting--;
}

static void join_groups(struct catchup *catchup)
{
    struct question *q;

    while ((q = TAILQ_FIRST(&catchup->queue)) != NULL) {
        struct group *group = &catchup->groups[keyspace_slot(catchup->keys, q->key)];
        bool stands = group->questions.tqh_last != NULL && !TAILQ_EMPTY(&group->questions);
        TAILQ_REMOVE(&catchup->queue, q, queue);
        if (!stands)
            TAILQ_INIT(&group->questions);
        TAILQ_INSERT_TAIL(&group->questions, q, queue);
        if (!stands)
            stand_in_lane(lane_of(catchup, group), group);
    }
}

static bool send_one(struct catchup *catchup, struct lane *lane, struct group *group)
{
    struct command *command = calloc(1, sizeof(*command));
    size_t wanted = entries_wanted_in(catchup, lane), count;

    if (command == NULL)
        return false;
    command->catchup = catchup;
    command->lane = lane;
    take_off_lane(lane, group);
    count = choose_questions(group, command, wanted);
    if (!TAILQ_EMPTY(&group->questions))
        stand_in_lane(lane, group); /* behind the others */
    if (send_questions(command, count) == 0) {
        catchup->asked++;
        lane->asked++;
        return true;
    }
    ask_later(command, false);
    free(command);
    return false;
}

static size_t commands_max(const struct catchup *catchup)
{
    return keyspace_is_split(catchup->keys) ? LANE_COMMANDS_MAX : COMMANDS_MAX;
}

/* Where the group is to stand now: slots move, and servers go. */
static struct lane *lane_now(struct catchup *catchup, const struct group *group)
{
    bool there = keyspace_has(catchup->keys, TAILQ_FIRST(&group->questions)->key);

    return there ? lane_of(catchup, group) : &catchup->away;
}

static void send_lane(struct catchup *catchup, struct lane *lane)
{
    struct group *group;

    while ((group = TAILQ_FIRST(&lane->groups)) != NULL && lane->asked < commands_max(catchup)) {
        struct lane *now = lane_now(catchup, group);
        if (now == lane) {
            if (!send_one(catchup, lane, group))
                break;
        } else {
            take_off_lane(lane, group);
            stand_in_lane(now, group);
            send_soon(catchup); /* that lane may have been before this one */
        }
    }
}

static void on_send_due(void *ctx)
{
    struct catchup *catchup = ctx;

    catchup->send_due = false;
    if (catchup->keys == NULL)
        return;
    join_groups(catchup);
    for (size_t i = 0; i < catchup->lane_count; i++)
        send_lane(catchup, &catchup->lanes[i]);
}

static bool has_questions(const struct catchup *catchup)
{
    if (!TAILQ_EMPTY(&catchup->queue))
        return true;
    for (size_t i = 0; i < catchup->lane_count; i++)
        if (catchup->lanes[i].waiting > 0 && catchup->lanes[i].asked < commands_max(catchup))
            return true;
    return false;
}

static void send_soon(struct catchup *catchup)
{
    if (catchup->send_due || catchup->keys == NULL || !has_questions(catchup))
        return;
    catchup->send_due = true;
    loop_defer(catchup->loop, on_send_due, catchup);
}

void catchup_up(struct catchup *catchup, struct keyspace *keys)
{
    bool split = keyspace_is_split(keys);

    if (catchup->groups == NULL)
        catchup->groups = calloc(split ? SLOTS : 1, sizeof(*catchup->groups));
    if (catchup->groups == NULL)
        abort(); /* as the loop does: whoever waits could not be told */
    catchup->lane_count = split ? KEYSPACE_LANES_MAX : 1;
    catchup->keys = keys;
    leave_groups(catchup);
    TAILQ_CONCAT(&catchup->queue, &catchup->later, queue);
    send_soon(catchup);
}

void catchup_down(struct catchup *catchup)
{
    catchup->keys = NULL;
}

int catchup_ask(struct catchup *catchup, struct notify_str key, const struct notify_id *from,
                uint64_t rev, uint32_t epoch, void *owner)
{
    struct question *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return -ENOMEM;
    q->key = key;
    q->owner = owner;
    q->from_now = from == NULL;
    q->rev = rev;
    q->epoch = epoch;
    if (from != NULL)
        q->from = *from;
    TAILQ_INSERT_TAIL(&catchup->queue, q, queue);
    send_soon(catchup);
    return 0;
}
