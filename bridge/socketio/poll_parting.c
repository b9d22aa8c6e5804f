/* poll_parting -- the client closes by a POST, between two GETs: a poll without a GET does what the
 * client had said before, and ends the session as if it had been held. */
#include "socketio/poll_private.h"

#include "net/http.h"

static void on_close_taken(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct poll *poll = ctx;

    if (poll->fn != NULL)
        poll->fn(poll->ctx, result, taken);
    if (result == POLL_DONE && taken->hold != NULL)
        poll_go_on(poll, taken);
    else
        poll_free(poll);
}

/* Where the session cannot be gone on with, whoever takes its box next reads that it is over. */
void poll_close(struct engineio *engine, const struct http_request *req, struct notify_str payload,
                poll_fn fn, void *ctx)
{
    const struct poll_store *store = &engine->config.store;
    char sid[ENGINEIO_SID_ROOM] = "";
    enum engineio_error error;
    struct poll *poll = engine->transport == NULL ? NULL : poll_new(engine, req, &error);
    struct poll_taking taking = {.on_wake = poll_on_wake, .ctx = poll};

    if (poll == NULL) {
        if (http_request_arg(req, "sid", sid, sizeof(sid)) < 0)
            sid[0] = '\0'; /* of which there is none */
        store->ops->push(store->store, notify_str_z(sid), payload, 0, fn, ctx);
        return;
    }
    poll->parting = true;
    poll->fn = fn;
    poll->ctx = ctx;
    taking.sid = notify_str_z(poll->sid);
    store->ops->close(store->store, &taking, payload, on_close_taken);
}
