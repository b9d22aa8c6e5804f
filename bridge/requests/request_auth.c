/* request_auth -- auth: a token as the first message, or another one for the time after it. */
#include "requests/request_handlers.h"

#include "clients/admission.h"
#include "clients/client.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"

static void answer_good(struct request *r)
{
    struct notify_str user = request_user(r);

    answer_json(r, json_pack("{s:s, s:s%, s:o}", "type", "authenticated", "user_id", user.ptr,
                             user.len, "expires_at", admission_expiry(r->client)));
}

static void on_judged(void *ctx, enum admission_answer answer)
{
    struct request *r = ctx;

    switch (answer) {
    case ADMISSION_GOOD:
        answer_good(r);
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
    admission_offer(r->client, request_text(r, "token"), on_judged, request_ref(r));
}
