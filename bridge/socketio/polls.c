/* polls -- all polls of an engine, when the process ends: answered and given back, ended, let go,
 * or forgotten. */
#include "socketio/poll_private.h"

#include "net/addresses.h"

void polls_drain(struct engineio *engine)
{
    struct poll *poll, *next;

    engine->drains = true;
    for (poll = TAILQ_FIRST(&engine->polls); poll != NULL; poll = next) {
        next = TAILQ_NEXT(poll, link);
        poll->probed = true; /* answered at once, as if there were an upgrade */
        if (poll->state == POLL_HELD)
            poll_finish_soon(poll);
        else if (poll->state == POLL_KEPT)
            poll_release(poll);
        else if (poll->state == POLL_LENT)
            poll_ask(poll);
    }
}

void polls_end(struct engineio *engine)
{
    struct poll *poll, *next;

    engine->ends = true;
    for (poll = TAILQ_FIRST(&engine->polls); poll != NULL; poll = next) {
        next = TAILQ_NEXT(poll, link);
        if (poll->state == POLL_HELD || poll->state == POLL_KEPT)
            poll_tell_end(poll);
        if (poll->state == POLL_KEPT)
            poll_release(poll); /* which ends it, since nobody goes on with it */
    }
}

void polls_let_go(struct engineio *engine)
{
    struct poll *poll;

    TAILQ_FOREACH(poll, &engine->polls, link)
    {
        address_unkeep(poll->address); /* whoever has a GET here has it by that */
        poll->address = NULL;
        if (poll->session == NULL || poll->exchange != NULL)
            continue;
        poll->state = POLL_ENDED;
        poll_end_session(poll, CONN_CLOSE_PARKED);
    }
}

/* Exchanges have gone before; what the store would still say is not waited for. */
void polls_forget(struct engineio *engine)
{
    struct poll *poll, *next;

    for (poll = TAILQ_FIRST(&engine->polls); poll != NULL; poll = next) {
        next = TAILQ_NEXT(poll, link);
        if (poll->hold != NULL)
            poll_store_of(poll)->ops->forget(poll_store_of(poll)->store, poll->hold);
        poll_end_session(poll, CONN_CLOSE_ABNORMAL);
        poll_free(poll);
    }
}
