#include "redis/catchup.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/loop.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define QUESTIONS_PER_COMMAND 64
#define ENTRIES_PER_ANSWER "250" /* of up to 64 KiB each: a bound on one reply */
#define RETRY_MS 250

struct question {
    TAILQ_ENTRY(question) queue;
    struct notify_str key; /* borrowed from the owner */
    void *owner;
    struct notify_id from;
    uint64_t rev; /* 0: not asked for */
    bool from_now;
    bool alone; /* a command that it shared was refused: find out which question is at fault */
};

TAILQ_HEAD(question_queue, question);

struct catchup {
    struct loop *loop;
    catchup_fn fn;
    struct redis_link *link; /* borrowed; NULL while down */
    struct question_queue queue;
    struct loop_timer *retry;
    size_t asked; /* commands without an answer */
    bool send_due, freed;
};

/* The questions of one command, in its order. */
struct command {
    struct catchup *catchup;
    size_t len;
    struct question *questions[QUESTIONS_PER_COMMAND];
};

static void send_soon(struct catchup *catchup);

static void on_retry(void *ctx)
{
    send_soon(ctx);
}

struct catchup *catchup_new(struct loop *loop, catchup_fn fn)
{
    struct catchup *catchup = calloc(1, sizeof(*catchup));

    if (catchup == NULL)
        return NULL;
    catchup->loop = loop;
    catchup->fn = fn;
    TAILQ_INIT(&catchup->queue);
    catchup->retry = loop_timer_new(loop, on_retry, catchup);
    if (catchup->retry == NULL) {
        free(catchup);
        return NULL;
    }
    return catchup;
}

static void free_when_idle(struct catchup *catchup)
{
    if (catchup->freed && !catchup->send_due && catchup->asked == 0)
        free(catchup);
}

void catchup_free(struct catchup *catchup)
{
    struct question *q;

    if (catchup == NULL)
        return;
    while ((q = TAILQ_FIRST(&catchup->queue)) != NULL) {
        TAILQ_REMOVE(&catchup->queue, q, queue);
        free(q);
    }
    loop_timer_free(catchup->retry);
    catchup->link = NULL;
    catchup->freed = true;
    free_when_idle(catchup);
}

/* Answers. */

static struct notify_id id_of(const struct resp *reply)
{
    struct notify_id id = {0, 0};

    (void)notify_id_parse(resp_str(reply), 0, &id); /* what the module does not say is 0-0 */
    return id;
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
    struct catchup_result result = {.last = q->from};

    if (map != NULL) {
        result.last = id_of(resp_member(map, "last"));
        result.trimmed = id_of(resp_member(map, "trimmed"));
        result.more = resp_integer(resp_member(map, "more"), 0) != 0;
        result.rev = (uint64_t)resp_integer(resp_member(map, "rev"), 0);
        result.unread = (uint64_t)resp_integer(resp_member(map, "unread"), 0);
        result.entries = resp_member(map, "entries");
        /* "more" without an entry would have us ask the same for ever. */
        if (result.entries == NULL || result.entries->len == 0)
            result.more = false;
    }
    answer(catchup, q, &result);
}

/* The reply's maps come in the order of the command's keys; those without news are left out. */
static void answer_all(struct command *command, const struct resp *reply)
{
    size_t at = 0;

    for (size_t i = 0; i < command->len; i++) {
        struct question *q = command->questions[i];
        const struct resp *map = at < reply->len ? reply->items[at] : NULL;
        if (map != NULL && notify_str_eq(resp_str(resp_member(map, "key")), q->key))
            at++;
        else
            map = NULL;
        answer_from(command->catchup, q, map);
    }
}

static bool has_prefix(struct notify_str text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

static void ask_again(struct command *command, bool alone)
{
    struct catchup *catchup = command->catchup;

    for (size_t i = 0; i < command->len; i++) {
        command->questions[i]->alone = alone;
        TAILQ_INSERT_TAIL(&catchup->queue, command->questions[i], queue);
    }
}

/* A key of another type, or one that we may not read, stays so until someone acts; everything else
 * (LOADING, MASTERDOWN, a module not loaded yet) passes. */
static void on_refused(struct command *command, struct notify_str error)
{
    struct catchup *catchup = command->catchup;
    bool lasting = has_prefix(error, "WRONGTYPE") || has_prefix(error, "NOPERM");

    log_warn("catchup_refused", "text", log_bytes(error.ptr, error.len), "key",
             log_bytes(command->questions[0]->key.ptr, command->questions[0]->key.len));
    if (lasting && command->len == 1) {
        answer(catchup, command->questions[0], &(struct catchup_result){.unreadable = true});
    } else {
        ask_again(command, lasting);
        if (lasting)
            send_soon(catchup);
        else
            loop_timer_set(catchup->retry, RETRY_MS);
    }
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct command *command = ctx;
    struct catchup *catchup = command->catchup;

    catchup->asked--;
    if (catchup->freed) {
        for (size_t i = 0; i < command->len; i++)
            free(command->questions[i]);
        free_when_idle(catchup);
    } else if (reply == NULL) {
        ask_again(command, false); /* goes out when the link is up */
    } else if (reply->kind == RESP_ERROR) {
        on_refused(command, reply->str);
    } else {
        answer_all(command, reply);
    }
    free(command);
}

/* Questions. */

#define POSITION_TEXT_MAX (NOTIFY_ID_TEXT_MAX + 1 + 20) /* id@rev */

static struct notify_str position_text(char out[POSITION_TEXT_MAX + 1], const struct question *q)
{
    char digits[20];
    char *rev = notify_id_put_number(digits + sizeof(digits), q->rev);
    size_t len;

    if (q->from_now)
        return NOTIFY_STR("$");
    len = notify_id_format(out, q->from);
    if (q->rev != 0) {
        out[len++] = '@';
        memcpy(out + len, rev, (size_t)(digits + sizeof(digits) - rev));
        len += (size_t)(digits + sizeof(digits) - rev);
    }
    return notify_str_of(out, len);
}

/* Takes questions off the queue into one command; one that must be alone gets one of its own. */
static bool send_one(struct catchup *catchup)
{
    struct notify_str argv[2 * QUESTIONS_PER_COMMAND + 3] = {NOTIFY_STR("NOTIFY.SINCE")};
    char positions[QUESTIONS_PER_COMMAND][POSITION_TEXT_MAX + 1];
    struct command *command = calloc(1, sizeof(*command));
    struct question *q;
    size_t argc = 1;
    int sent;

    if (command == NULL)
        return false;
    command->catchup = catchup;
    while ((q = TAILQ_FIRST(&catchup->queue)) != NULL && command->len < QUESTIONS_PER_COMMAND &&
           (command->len == 0 || !q->alone)) {
        TAILQ_REMOVE(&catchup->queue, q, queue);
        argv[argc++] = q->key;
        argv[argc++] = position_text(positions[command->len], q);
        command->questions[command->len++] = q;
        if (q->alone)
            break;
    }
    argv[argc++] = NOTIFY_STR("COUNT");
    argv[argc++] = NOTIFY_STR(ENTRIES_PER_ANSWER);
    sent = redis_link_command(catchup->link, on_reply, command, argc, argv);
    if (sent != 0) {
        ask_again(command, false);
        loop_timer_set(catchup->retry, RETRY_MS);
        free(command);
        return false;
    }
    catchup->asked++;
    return true;
}

static void on_send_due(void *ctx)
{
    struct catchup *catchup = ctx;

    catchup->send_due = false;
    while (catchup->link != NULL && !TAILQ_EMPTY(&catchup->queue))
        if (!send_one(catchup))
            break;
    free_when_idle(catchup);
}

static void send_soon(struct catchup *catchup)
{
    if (catchup->send_due || catchup->link == NULL || TAILQ_EMPTY(&catchup->queue))
        return;
    catchup->send_due = true;
    loop_defer(catchup->loop, on_send_due, catchup);
}

void catchup_up(struct catchup *catchup, struct redis_link *link)
{
    catchup->link = link;
    send_soon(catchup);
}

void catchup_down(struct catchup *catchup)
{
    catchup->link = NULL;
}

int catchup_ask(struct catchup *catchup, struct notify_str key, const struct notify_id *from,
                uint64_t rev, void *owner)
{
    struct question *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return -ENOMEM;
    q->key = key;
    q->owner = owner;
    q->from_now = from == NULL;
    q->rev = rev;
    if (from != NULL)
        q->from = *from;
    TAILQ_INSERT_TAIL(&catchup->queue, q, queue);
    send_soon(catchup);
    return 0;
}
