#include "redis/turns.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/counters.h"

struct command {
    struct lane *lane;
    STAILQ_ENTRY(command) line;
    struct turn turn;         /* its argv: NULL once sent */
    struct notify_str argv[]; /* while it is in the line; its bytes follow */
};

/* One server. */
struct lane {
    struct turns *turns;
    STAILQ_HEAD(command_line, command) line;
    size_t under_way, reply_bytes;
    bool moving; /* the line */
};

struct turns {
    struct keyspace *keys; /* borrowed */
    size_t in_line;        /* of all lanes */
    size_t lane_count;
    struct lane lanes[];
};

struct turns *turns_new(struct keyspace *keys)
{
    size_t lanes = keyspace_is_split(keys) ? KEYSPACE_LANES_MAX : 1;
    struct turns *turns = calloc(1, sizeof(*turns) + lanes * sizeof(struct lane));

    if (turns == NULL)
        return NULL;
    turns->keys = keys;
    turns->lane_count = lanes;
    for (size_t i = 0; i < lanes; i++) {
        turns->lanes[i].turns = turns;
        STAILQ_INIT(&turns->lanes[i].line);
    }
    return turns;
}

void turns_free(struct turns *turns)
{
    if (turns == NULL)
        return;
    for (size_t i = 0; i < turns->lane_count; i++)
        assert(turns->lanes[i].under_way == 0 && STAILQ_EMPTY(&turns->lanes[i].line));
    free(turns);
}

/* The words are copied when it has to wait. */
static struct command *command_new(struct lane *lane, const struct turn *turn, bool waits)
{
    size_t len = 0, argc = waits ? turn->argc : 0;
    struct command *command;
    char *bytes;

    for (size_t i = 0; i < argc; i++)
        len += turn->argv[i].len;
    command = calloc(1, sizeof(*command) + argc * sizeof(struct notify_str) + len);
    if (command == NULL)
        return NULL;
    command->lane = lane;
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

static bool has_room(const struct lane *lane, size_t reply_bytes)
{
    if (lane->under_way == 0)
        return true;
    return lane->under_way < TURNS_COMMANDS && lane->reply_bytes + reply_bytes <= TURNS_REPLY_BYTES;
}

static void answer(struct command *command, const struct resp *reply)
{
    redis_reply_fn fn = command->turn.fn;
    void *ctx = command->turn.ctx;

    free(command);
    fn(ctx, reply);
}

static void move_line(struct lane *lane);

static void on_reply(void *ctx, const struct resp *reply)
{
    struct command *command = ctx;
    struct lane *lane = command->lane;

    lane->under_way--;
    lane->reply_bytes -= command->turn.reply_bytes;
    answer(command, reply);
    move_line(lane);
}

static int send(struct lane *lane, struct command *command)
{
    int ret = keyspace_command(lane->turns->keys, on_reply, command, command->turn.argc,
                               command->turn.argv);

    if (ret != 0)
        return ret;
    lane->under_way++;
    lane->reply_bytes += command->turn.reply_bytes;
    return 0;
}

/* What a command's owner does when it is answered may ask for more: that stands behind the others,
 * and this loop comes to it. */
static void move_line(struct lane *lane)
{
    struct command *first;

    if (lane->moving)
        return;
    lane->moving = true;
    while ((first = STAILQ_FIRST(&lane->line)) != NULL && has_room(lane, first->turn.reply_bytes)) {
        bool wanted = first->turn.on_turn == NULL || first->turn.on_turn(first->turn.ctx);
        STAILQ_REMOVE_HEAD(&lane->line, line);
        lane->turns->in_line--;
        if (!wanted || send(lane, first) != 0)
            answer(first, NULL);
    }
    lane->moving = false;
}

static int stand_in_line(struct lane *lane, const struct turn *turn)
{
    struct command *command;

    if (lane->turns->in_line >= TURNS_LINE_MAX) {
        counter_add(COUNTER_COMMANDS_REFUSED, 1);
        return -EBUSY;
    }
    command = command_new(lane, turn, true);
    if (command == NULL)
        return -ENOMEM;
    STAILQ_INSERT_TAIL(&lane->line, command, line);
    lane->turns->in_line++;
    counter_add(COUNTER_COMMANDS_WAITED, 1);
    return 1;
}

int turns_command(struct turns *turns, const struct turn *turn)
{
    struct command *command;
    struct lane *lane;
    int ret;

    if (!keyspace_is_up(turns->keys))
        return -ENOTCONN;
    lane = &turns->lanes[keyspace_command_lane(turns->keys, turn->argc, turn->argv)];
    if (!STAILQ_EMPTY(&lane->line) || !has_room(lane, turn->reply_bytes))
        return stand_in_line(lane, turn);
    command = command_new(lane, turn, false);
    if (command == NULL)
        return -ENOMEM;
    ret = send(lane, command);
    if (ret != 0)
        free(command);
    return ret;
}

size_t turns_in_line(const struct turns *turns)
{
    return turns->in_line;
}
