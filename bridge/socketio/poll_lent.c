/* poll_lent -- a GET that is served by who keeps its session, elsewhere.
 *
 *     TAKING --served--> LENT --answered there--> answered as it says
 *                         |\--its own from now on--> HELD
 *                         \--over, or its client has gone--> the end */
#include "socketio/poll_private.h"

#define ASK_MS 2000 /* after which whose GET is served elsewhere asks whether it still is */

void poll_lend(struct poll *poll, const struct poll_taken *taken)
{
    poll->hold = taken->hold;
    if (poll->exchange == NULL) { /* it has gone meanwhile */
        poll_drop(poll);
        poll_free(poll);
        return;
    }
    poll->state = POLL_LENT;
    heartbeat_set(poll->engine->deadlines, &poll->deadline, ASK_MS);
}

static void on_asked(void *ctx, enum poll_result result, const struct poll_taken *taken)
{
    struct poll *poll = ctx;

    poll->looking = false;
    if (poll->state == POLL_ENDED || poll->exchange == NULL) {
        if (result == POLL_SERVED || result == POLL_AWAY || (result == POLL_DONE && !taken->again))
            poll_drop(poll);
        poll_free(poll);
    } else if (result == POLL_AWAY || result == POLL_SERVED) {
        heartbeat_set(poll->engine->deadlines, &poll->deadline, ASK_MS);
    } else if (result == POLL_DONE && !taken->again) {
        poll_go_on(poll, taken);
    } else {
        poll->hold = NULL;
        if (result == POLL_DONE)
            poll_answer_text(poll, taken->answer);
        poll_lose(poll, POLL_AT_HOLD, result);
    }
}

void poll_ask(struct poll *poll)
{
    if (poll->looking)
        return;
    poll->looking = true;
    poll_store_of(poll)->ops->ask(poll_store_of(poll)->store, poll->hold,
                                  poll->engine->drains || poll->engine->ends, on_asked, poll);
}
