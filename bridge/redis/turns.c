#include "redis/turns.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/counters.h"

struct command {
    struct turns *turns;
    STAILQ_ENTRY(command) line;
    struct turn turn;         /* its argv: NULL once sent */
    struct notify_str argv[]; /* while it is in the line; its bytes follow */
};

struct turns {
    struct redis_link *link; /* borrowed */
    STAILQ_HEAD(command_line, command) line;
    size_t in_line, under_way, reply_bytes;
    bool moving; /* the line */
};

struct turns *turns_new(struct redis_link *link)
{
    struct turns *turns = calloc(1, sizeof(*turns));

    if (turns == NULL)
        return NULL;
    turns->link = link;
    STAILQ_INIT(&turns->line);
    return turns;
}

void turns_free(struct turns *turns)
{
    if (turns == NULL)
        return;
    assert(turns->under_way == 0 && STAILQ_EMPTY(&turns->line));
    free(turns);
}

/* The words are copied when it has to wait. */
static struct command *command_new(struct turns *turns, const struct turn *turn, bool waits)
{
    size_t len = 0, argc = waits ? turn->argc : 0;
    struct command *command;
    char *bytes;

    for (size_t i = 0; i < argc; i++)
        len += turn->argv[i].len;
    command = calloc(1, sizeof(*command) + argc * sizeof(struct notify_str) + len);
    if (command == NULL)
        return NULL;
    command->turns = turns;
    command->turn = *turn;
    if (!waits)
        return command;
    bytes = (char *)(command->argv + argc);
    for (size_t i = 0; i < argc; i++) {
        command->argv[i] = notify_str_of(bytes, turn->argv[i].len);
        if (turn->argv[i].len > 0)
            memcpy(bytes, turn->argv[i].ptr, turn->argv[i].len);
        bytes += turn->argv[i].len;
    }
    command->turn.argv = command->argv;
    return command;
}

static bool has_room(const struct turns *turns, size_t reply_bytes)
{
    if (turns->under_way == 0)
        return true;
    return turns->under_way < TURNS_COMMANDS &&
           turns->reply_bytes + reply_bytes <= TURNS_REPLY_BYTES;
}

static void answer(struct command *command, const struct resp *reply)
{
    redis_reply_fn fn = command->turn.fn;
    void *ctx = command->turn.ctx;

    free(command);
    fn(ctx, reply);
}

static void move_line(struct turns *turns);

static void on_reply(void *ctx, const struct resp *reply)
{
    struct command *command = ctx;
    struct turns *turns = command->turns;

    turns->under_way--;
    turns->reply_bytes -= command->turn.reply_bytes;
    answer(command, reply);
    move_line(turns);
}

static int send(struct turns *turns, struct command *command)
{
    int ret =
        redis_link_command(turns->link, on_reply, command, command->turn.argc, command->turn.argv);

    if (ret != 0)
        return ret;
    turns->under_way++;
    turns->reply_bytes += command->turn.reply_bytes;
    return 0;
}

/* What a command's owner does when it is answered may ask for more: that stands behind the others,
 * and this loop comes to it. */
static void move_line(struct turns *turns)
{
    struct command *first;

    if (turns->moving)
        return;
    turns->moving = true;
    while ((first = STAILQ_FIRST(&turns->line)) != NULL &&
           has_room(turns, first->turn.reply_bytes)) {
        bool wanted = first->turn.on_turn == NULL || first->turn.on_turn(first->turn.ctx);
        STAILQ_REMOVE_HEAD(&turns->line, line);
        turns->in_line--;
        if (!wanted || send(turns, first) != 0)
            answer(first, NULL);
    }
    turns->moving = false;
}

static int stand_in_line(struct turns *turns, const struct turn *turn)
{
    struct command *command;

    if (turns->in_line >= TURNS_LINE_MAX) {
        counter_add(COUNTER_COMMANDS_REFUSED, 1);
        return -EBUSY;
    }
    command = command_new(turns, turn, true);
    if (command == NULL)
        return -ENOMEM;
    STAILQ_INSERT_TAIL(&turns->line, command, line);
    turns->in_line++;
    counter_add(COUNTER_COMMANDS_WAITED, 1);
    return 1;
}

int turns_command(struct turns *turns, const struct turn *turn)
{
    struct command *command;
    int ret;

    if (!redis_link_is_up(turns->link))
        return -ENOTCONN;
    if (!STAILQ_EMPTY(&turns->line) || !has_room(turns, turn->reply_bytes))
        return stand_in_line(turns, turn);
    command = command_new(turns, turn, false);
    if (command == NULL)
        return -ENOMEM;
    ret = send(turns, command);
    if (ret != 0)
        free(command);
    return ret;
}

size_t turns_in_line(const struct turns *turns)
{
    return turns->in_line;
}
