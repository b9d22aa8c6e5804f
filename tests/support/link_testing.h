/* link_testing -- Redis links for unit tests that take the place of redis_link.c when a test is
 * linked: commands are kept as text for the test to look at and to answer. Header only. */
#ifndef LINK_TESTING_H
#define LINK_TESTING_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "redis/redis_link.h"
#include "redis/resp.h"

struct redis_link {
    struct link_testing_command *first, **end; /* sent and not looked at yet */
    bool up;
    bool refuses; /* as when too many commands wait */
};

struct link_testing_command {
    struct link_testing_command *next;
    redis_reply_fn fn;
    void *ctx;
    size_t argc;
    struct notify_str *argv; /* owned, and its bytes */
};

static inline void link_testing_init(struct redis_link *link)
{
    *link = (struct redis_link){.up = true};
    link->end = &link->first;
}

int redis_link_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                       const struct notify_str *argv)
{
    struct link_testing_command *command;
    size_t len = 0;
    char *bytes;

    if (!link->up)
        return -ENOTCONN;
    if (link->refuses)
        return -EBUSY;
    for (size_t i = 0; i < argc; i++)
        len += argv[i].len + 1;
    command = calloc(1, sizeof(*command) + argc * sizeof(*argv) + len);
    if (command == NULL)
        return -ENOMEM;
    command->fn = fn;
    command->ctx = ctx;
    command->argc = argc;
    command->argv = (struct notify_str *)(command + 1);
    bytes = (char *)(command->argv + argc);
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].len > 0)
            memcpy(bytes, argv[i].ptr, argv[i].len);
        command->argv[i] = notify_str_of(bytes, argv[i].len);
        bytes += argv[i].len + 1; /* each with a NUL behind it */
    }
    *link->end = command;
    link->end = &command->next;
    return 0;
}

int redis_link_push_command(struct redis_link *link, redis_reply_fn fn, void *ctx, size_t argc,
                            const struct notify_str *argv)
{
    return redis_link_command(link, fn, ctx, argc, argv);
}

bool redis_link_is_up(const struct redis_link *link)
{
    return link->up;
}

/* Takes the oldest command off; the caller frees it. NULL: there is none. */
static inline struct link_testing_command *link_testing_take(struct redis_link *link)
{
    struct link_testing_command *command = link->first;

    if (command == NULL)
        return NULL;
    link->first = command->next;
    if (link->first == NULL)
        link->end = &link->first;
    return command;
}

/* Answers a command that was taken, and frees it. */
static inline void link_testing_answer(struct link_testing_command *command,
                                       const struct resp *reply)
{
    command->fn(command->ctx, reply);
    free(command);
}

/* All pushes of a command that was taken have come. */
static inline void link_testing_fence(struct link_testing_command *command)
{
    struct resp fence = {.kind = RESP_STRING, .str = NOTIFY_STR("1")};

    link_testing_answer(command, &fence);
}

/* The link goes down: whatever waits is answered with NULL, as redis_link does. */
static inline void link_testing_go_down(struct redis_link *link)
{
    struct link_testing_command *command;

    link->up = false;
    while ((command = link_testing_take(link)) != NULL)
        link_testing_answer(command, NULL);
}

#endif
