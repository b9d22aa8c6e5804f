/* link_testing -- Redis links for unit tests that take the place of redis_link.c when a test is
 * linked: commands are kept as text for the test to look at and to answer. Header only. */
#ifndef LINK_TESTING_H
#define LINK_TESTING_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "redis/keyspace.h"
#include "redis/keyspace_kind.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

struct redis_link {
    struct keyspace keys;                      /* that are at its end */
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

static inline int link_testing_command(struct keyspace *keys, redis_reply_fn fn, void *ctx,
                                       size_t argc, const struct notify_str *argv)
{
    return redis_link_command((struct redis_link *)keys, fn, ctx, argc, argv);
}

static inline bool link_testing_is_up(const struct keyspace *keys)
{
    return redis_link_is_up((const struct redis_link *)keys);
}

static inline bool link_testing_has(const struct keyspace *keys, struct notify_str key)
{
    (void)key;
    return link_testing_is_up(keys);
}

static inline void link_testing_init(struct redis_link *link)
{
    static const struct keyspace_kind kind = {
        .command = link_testing_command, .is_up = link_testing_is_up, .has = link_testing_has};

    *link = (struct redis_link){.keys.kind = &kind, .up = true};
    link->end = &link->first;
}

/* All keys are at the end of each of them. */
__attribute__((unused)) static const struct keyspace_part link_testing_everything = {0};

/* What makes links and sends them elsewhere is linked, too, but nobody here has them made. */

struct redis_link *redis_link_new(struct loop *loop, const char *name,
                                  const struct redis_route *route)
{
    (void)loop;
    (void)name;
    (void)route;
    return NULL;
}

void redis_link_listen(struct redis_link *link, const struct redis_link_handlers *handlers,
                       void *ctx)
{
    (void)link;
    (void)handlers;
    (void)ctx;
}

void redis_link_read_ahead(struct redis_link *link)
{
    (void)link;
}

void redis_link_start(struct redis_link *link)
{
    (void)link;
}

void redis_link_reroute(struct redis_link *link, const char *why)
{
    (void)link;
    (void)why;
}

void redis_link_free(struct redis_link *link)
{
    (void)link;
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
