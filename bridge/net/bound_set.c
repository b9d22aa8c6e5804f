#include "net/bound_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/handed.h"

static bool is_all_served(struct handed *handed)
{
    const struct handed_socket *left = handed_left(handed);

    if (left == NULL)
        return true;
    if (handed_is_takeover(handed)) {
        log_info("listener_left", "name", left->name);
        handed_close_left(handed);
        return true;
    }
    log_error("listener_unknown", "descriptor", log_int(left->fd), "name", left->name, "text",
              "a socket was handed over that is of no --listen: give its address, or systemd: and "
              "its name");
    return false;
}

/* Behind those that are there. 0 or -EADDRINUSE, with the reason logged. */
static int add_all(struct bound_set *set, const char *const *addresses, size_t count,
                   enum listen_door door, unsigned processes, struct handed *handed)
{
    for (size_t i = 0; i < count; i++) {
        set->at[set->len] = bound_new(addresses[i], processes, handed);
        if (set->at[set->len] == NULL)
            return -EADDRINUSE;
        bound_set_door(set->at[set->len], door);
        set->len++;
    }
    return 0;
}

static size_t count_all(const struct bound_addresses *addresses)
{
    size_t count = 0;

    for (size_t door = 0; door < LISTEN_DOORS; door++)
        count += addresses->of[door].len;
    return count;
}

/* 0, or what add_all() says. */
static int add_doors(struct bound_set *set, const struct bound_addresses *addresses,
                     unsigned processes, struct handed *handed)
{
    int rc = 0;

    for (size_t door = 0; door < LISTEN_DOORS && rc == 0; door++)
        rc = add_all(set, addresses->of[door].at, addresses->of[door].len, (enum listen_door)door,
                     processes, handed);
    return rc;
}

struct bound_set *bound_set_new(const struct bound_addresses *addresses, unsigned processes,
                                struct handed *handed)
{
    struct bound_set *set = calloc(1, sizeof(*set) + count_all(addresses) * sizeof(struct bound *));

    if (set == NULL) {
        log_error("out_of_memory", "at", "listeners");
        return NULL;
    }
    if (add_doors(set, addresses, processes, handed) == 0 && is_all_served(handed))
        return set;
    bound_set_free(set);
    return NULL;
}

void bound_set_disown(struct bound_set *set)
{
    for (size_t i = 0; set != NULL && i < set->len; i++)
        bound_disown(set->at[i]);
}

void bound_set_own(struct bound_set *set)
{
    for (size_t i = 0; set != NULL && i < set->len; i++)
        bound_own(set->at[i]);
}

void bound_set_close(struct bound_set *set)
{
    for (size_t i = 0; set != NULL && i < set->len; i++)
        bound_close(set->at[i]);
}

void bound_set_free(struct bound_set *set)
{
    for (size_t i = 0; set != NULL && i < set->len; i++)
        bound_free(set->at[i]);
    free(set);
}

size_t bound_set_sockets(const struct bound_set *set)
{
    size_t count = 0;

    for (size_t i = 0; i < set->len; i++)
        count += bound_count(set->at[i]);
    return count;
}

bool bound_set_has(const struct bound_set *set, enum listen_door door, enum bound_reach reach)
{
    for (size_t i = 0; i < set->len; i++)
        if (bound_kind(set->at[i])->door == door && bound_reach(set->at[i]) == reach)
            return true;
    return false;
}

void bound_set_text(const struct bound_set *set, enum listen_door door, char *out, size_t cap)
{
    out[0] = '\0';
    for (size_t i = 0; i < set->len; i++) {
        size_t len = strlen(out);
        if (bound_kind(set->at[i])->door == door)
            (void)snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : ",",
                           bound_text(set->at[i]));
    }
}
