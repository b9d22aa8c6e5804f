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
                   unsigned processes, struct handed *handed)
{
    for (size_t i = 0; i < count; i++) {
        set->at[set->len] = bound_new(addresses[i], processes, handed);
        if (set->at[set->len] == NULL)
            return -EADDRINUSE;
        set->len++;
    }
    return 0;
}

static void mark_operators(struct bound_set *set, size_t from)
{
    for (size_t i = from; i < set->len; i++)
        bound_serve_operators(set->at[i]);
}

struct bound_set *bound_set_new(const struct bound_addresses *addresses, unsigned processes,
                                struct handed *handed)
{
    size_t count = addresses->clients_len + addresses->operators_len;
    struct bound_set *set = calloc(1, sizeof(*set) + count * sizeof(struct bound *));

    if (set == NULL) {
        log_error("out_of_memory", "at", "listeners");
        return NULL;
    }
    if (add_all(set, addresses->clients, addresses->clients_len, processes, handed) == 0 &&
        add_all(set, addresses->operators, addresses->operators_len, processes, handed) == 0 &&
        is_all_served(handed)) {
        mark_operators(set, addresses->clients_len);
        return set;
    }
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

bool bound_set_has(const struct bound_set *set, bool operators, enum bound_reach reach)
{
    for (size_t i = 0; i < set->len; i++)
        if (bound_kind(set->at[i])->operators == operators && bound_reach(set->at[i]) == reach)
            return true;
    return false;
}

void bound_set_text(const struct bound_set *set, bool operators, char *out, size_t cap)
{
    out[0] = '\0';
    for (size_t i = 0; i < set->len; i++) {
        size_t len = strlen(out);
        if (bound_kind(set->at[i])->operators == operators)
            (void)snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : ",",
                           bound_text(set->at[i]));
    }
}
