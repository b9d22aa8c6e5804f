#include "clients/ask.h"

#include <stdlib.h>

#include "channels/follow.h"
#include "channels/router.h"

/* A result: objects and numbers of jansson, a key of middling length twice, and its text. */
#define RESULT_BYTES 512

struct ask *ask_new(size_t max, ask_fn done, json_t *request_id, json_t *subject, bool results)
{
    struct ask *ask = calloc(1, sizeof(*ask) + max * sizeof(struct follow *));

    if (ask == NULL)
        return NULL;
    if (results && (ask->results = json_object()) == NULL) {
        free(ask);
        return NULL;
    }
    ask->done = done;
    ask->pending = 1;
    ask->bytes = (uint32_t)(sizeof(*ask) + max * sizeof(struct follow *) +
                            (results ? max : 0) * RESULT_BYTES +
                            2 * json_string_length(request_id)); /* kept, and answered */
    ask->request_id = json_incref(request_id);
    ask->subject = json_incref(subject);
    return ask;
}

void ask_free(struct ask *ask)
{
    if (ask == NULL)
        return;
    json_decref(ask->request_id);
    json_decref(ask->subject);
    json_decref(ask->results);
    free(ask);
}

void ask_await(struct ask *ask, struct follow *follow)
{
    ask->follows[ask->len++] = follow;
    ask->pending++;
}

void ask_put_result(json_t *results, const struct follow *follow, bool recovered)
{
    struct notify_str key = follow_key(follow);

    /* A key that is no UTF-8 cannot come from a client: then this does nothing. */
    (void)json_object_setn_new(
        results, key.ptr, key.len,
        json_pack("{s:b, s:i}", "recovered", recovered, "count", (int)follow->count));
}

bool ask_refuse(struct ask *ask, const struct follow *follow)
{
    for (size_t i = 0; i < ask->len; i++)
        if (ask->follows[i] == follow) {
            ask->refused = true;
            return ask->subject != NULL;
        }
    return false;
}

void ask_resolve(struct ask *ask, const struct follow *follow)
{
    for (size_t i = 0; i < ask->len; i++) {
        if (ask->follows[i] != follow)
            continue;
        ask->follows[i] = NULL;
        ask->pending--;
        if (ask->results != NULL)
            ask_put_result(ask->results, follow, !follow->gap);
    }
}
