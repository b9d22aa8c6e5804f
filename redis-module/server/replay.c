/* replay -- see replay.h. */
#include "server/replay.h"

#include <stdlib.h>

#include "notify_str.h"

enum { SHOWN_WORDS = 4, SHOWN_BYTES = 64 };

static struct {
    struct rm_ctx *ctx; /* NULL: no command runs */
    struct rm_string **argv;
    int argc;
    int flags; /* of the context; asked for once, if at all: -1 before */
    enum origin { NOT_ASKED, A_CLIENT, A_PRIMARY, A_FILE } origin; /* likewise */
} command;

void replay_begin(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    command.ctx = ctx;
    command.argv = argv;
    command.argc = argc;
    command.origin = NOT_ASKED;
    command.flags = -1;
}

void replay_end(void)
{
    command.ctx = NULL;
}

/* While a snapshot is loaded beside the old data, clients go on reading those. */
static enum origin origin_by(int flags)
{
    if ((flags & RM_FLAG_REPLICATED) != 0)
        return A_PRIMARY;
    return (flags & (RM_FLAG_LOADING | RM_FLAG_ASYNC_LOADING)) == RM_FLAG_LOADING ? A_FILE
                                                                                  : A_CLIENT;
}

int replay_flags(struct rm_ctx *ctx)
{
    if (ctx == NULL || ctx != command.ctx)
        return rm_GetContextFlags(ctx);
    if (command.flags < 0)
        command.flags = rm_GetContextFlags(ctx);
    return command.flags;
}

static enum origin find_origin(void)
{
    if (command.ctx == NULL)
        return A_CLIENT;
    if (command.origin == NOT_ASKED)
        command.origin = origin_by(replay_flags(command.ctx));
    return command.origin;
}

bool replay_now(void)
{
    return find_origin() != A_CLIENT;
}

bool replay_now_from_file(void)
{
    return find_origin() == A_FILE;
}

bool replay_may_skip(void)
{
    return command.ctx != NULL && (replay_now() || rm_IsKeysPositionRequest(command.ctx));
}

bool replay_lifts_limits(void)
{
    return command.ctx == NULL || replay_now();
}

bool replay_needs_memory(void)
{
    if (command.ctx != NULL)
        return replay_now();
    return (rm_GetContextFlags(NULL) & (RM_FLAG_LOADING | RM_FLAG_REPLICA)) != 0;
}

bool replay_clears(struct rm_key *key)
{
    long long end_ms = replay_now() ? rm_GetAbsExpire(key) : RM_NO_EXPIRE;

    return end_ms != RM_NO_EXPIRE && end_ms <= rm_Milliseconds() && rm_DeleteKey(key) == RM_OK;
}

/* A word of the command as it can stand in a log. */
static struct notify_str shown(const struct rm_string *word)
{
    struct notify_str text = rm_str(word);

    if (text.len > SHOWN_BYTES)
        text.len = SHOWN_BYTES;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return NOTIFY_STR("(...)");
    return text;
}

void replay_give_up(const char *error)
{
    struct notify_str words[SHOWN_WORDS] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}};

    for (int i = 0; i < SHOWN_WORDS && i < command.argc; i++)
        words[i] = shown(command.argv[i]);
    rm_Log(command.ctx, "warning",
           "cannot carry out '%.*s %.*s %.*s %.*s', which comes from the primary or the AOF: %s. "
           "This module may be older than the one that wrote it: see notify.write-version. Giving "
           "up rather than differing from it",
           (int)words[0].len, words[0].ptr, (int)words[1].len, words[1].ptr, (int)words[2].len,
           words[2].ptr, (int)words[3].len, words[3].ptr, error);
    exit(EXIT_FAILURE);
}
