/* request_auth -- auth: a token as the first message, or another one for the time after it. */
#include "requests/request_handlers.h"

#include "channels/follow.h"
#include "clients/admission.h"
#include "clients/client.h"
#include "clients/client_state.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"

static void answer_good(struct request *r)
{
    struct notify_str user = client_user(r->client); /* r was asked before it was known */

    answer_json(r, json_pack("{s:s, s:s%, s:o}", "type", "authenticated", "user_id", user.ptr,
                             user.len, "expires_at", admission_expiry(r->client)));
}

static void on_live(struct client *client, struct ask *ask)
{
    (void)client;
    answer_good(ask->ctx);
}

static const struct ask_kind live_kind = {.done = on_live, .release = request_unref};

/* Is it followed since a moment ago, and not live yet? */
static bool is_beginning(const struct follow *follow)
{
    return follow->from_now && follow->state == FOLLOW_WAITING;
}

static size_t count_beginning(const struct client *client)
{
    size_t count = 0;

    for (const struct follow *f = client->follows; f != NULL; f = f->next)
        count += is_beginning(f);
    return count;
}

/* Whoever is told gets from then on all that its new rights bring. The first time the greeting says
 * so, which goes ahead. */
static void answer_once_live(struct request *r)
{
    struct client *client = r->client;
    bool greeted = client->sender.state != SENDER_OPENING;
    size_t count = greeted ? count_beginning(client) : 0;
    struct ask *ask = count == 0 ? NULL : ask_new(&live_kind, count, r, r->bytes, NULL);

    if (ask == NULL) {
        answer_good(r);
        return;
    }
    request_ref(r); /* the ask's */
    ask_open(&client->asks, ask, client, &client->sender);
    for (struct follow *f = client->follows; f != NULL; f = f->next)
        if (is_beginning(f))
            ask_await(ask, f);
    ask_close(&client->asks, ask);
}

static void on_judged(void *ctx, enum admission_answer answer)
{
    struct request *r = ctx;

    switch (answer) {
    case ADMISSION_GOOD:
        client_origin_renew(r->client);
        answer_once_live(r);
        break;
    case ADMISSION_BAD:
        answer_error(r, ANSWER_UNAUTHORIZED, "token", "the token is no good");
        break;
    case ADMISSION_OF_ANOTHER:
        answer_error(r, ANSWER_UNAUTHORIZED, "token",
                     "the token is not this connection's user's: connect with it");
        break;
    case ADMISSION_NOT_NOW:
        answer_error(r, ANSWER_UNAVAILABLE, NULL, "tokens cannot be judged just now");
        break;
    case ADMISSION_DROPPED:
        break;
    }
    request_unref(r);
}

void request_handle_auth(struct request *r)
{
    client_origin_offer(r->client, request_text(r, "token"));
    admission_offer(r->client, request_text(r, "token"), on_judged, request_ref(r));
}
