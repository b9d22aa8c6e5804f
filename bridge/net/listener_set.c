#include "net/listener_set.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/bound_set.h"

struct listener_set {
    size_t len;
    struct listener *at[]; /* owned */
};

struct listener_set *listener_set_new(struct loop *loop, const struct bound_set *bound,
                                      unsigned process, listener_fn fn, void *ctx)
{
    struct listener_set *set = calloc(1, sizeof(*set) + bound->len * sizeof(struct listener *));

    if (set == NULL) {
        log_error("out_of_memory", "at", "listeners");
        return NULL;
    }
    for (; set->len < bound->len; set->len++) {
        set->at[set->len] = listener_new(loop, bound->at[set->len], process, fn, ctx);
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
