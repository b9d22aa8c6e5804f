#include "net/listener_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct listener_set {
    size_t len;
    struct listener *at[]; /* owned */
};

struct listener_set *listener_set_new(struct loop *loop, const char *const *addresses, size_t count,
                                      listener_fn fn, void *ctx)
{
    struct listener_set *set = calloc(1, sizeof(*set) + count * sizeof(struct listener *));

    if (set == NULL) {
        log_error("out_of_memory", "at", "listeners");
        return NULL;
    }
    for (; set->len < count; set->len++) {
        set->at[set->len] = listener_new(loop, addresses[set->len], fn, ctx);
        if (set->at[set->len] == NULL) {
            listener_set_free(set);
            return NULL;
        }
    }
    return set;
}

void listener_set_free(struct listener_set *set)
{
    for (size_t i = 0; set != NULL && i < set->len; i++)
        listener_free(set->at[i]);
    free(set);
}

bool listener_set_has(const struct listener_set *set, enum listener_reach reach)
{
    for (size_t i = 0; i < set->len; i++)
        if (listener_reach(set->at[i]) == reach)
            return true;
    return false;
}

void listener_set_text(const struct listener_set *set, char *out, size_t cap)
{
    out[0] = '\0';
    for (size_t i = 0; i < set->len; i++) {
        size_t len = strlen(out);
        (void)snprintf(out + len, cap - len, "%s%s", i == 0 ? "" : ",",
                       listener_address(set->at[i]));
    }
}
