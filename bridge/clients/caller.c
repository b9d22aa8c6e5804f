#include "clients/caller.h"

#include <stdlib.h>
#include <string.h>

#include "clients/admission.h"
#include "clients/client.h"
#include "clients/credentials.h"
#include "clients/judge.h"
#include "clients/opening.h"
#include "identity/authority.h"
#include "identity/identity.h"
#include "net/http.h"

/* Somebody whose token is being judged. */
struct caller {
    struct judge_case *judged;
    caller_fn fn;
    void *ctx;
    char user[KEY_NAME_MAX + 1]; /* that ?user= names; empty: it names none */
};

static enum caller_answer answer_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_GOOD:
        return CALLER_KNOWN;
    case VERDICT_NO_KEYS:
        return CALLER_NOT_NOW;
    case VERDICT_NO_MEMORY:
        return CALLER_NO_MEMORY;
    case VERDICT_BAD:
    case VERDICT_UNKNOWN_KEY:
        break;
    }
    return CALLER_BAD_TOKEN;
}

static void on_judged(void *ctx, enum verdict verdict, struct identity *identity)
{
    struct caller *caller = ctx;
    enum caller_answer answer = answer_of(verdict);

    if (answer == CALLER_KNOWN && caller->user[0] != '\0' &&
        !notify_str_eq(notify_str_z(caller->user), identity_user(identity))) {
        identity = identity_unref(identity);
        answer = CALLER_OTHER_USER;
    }
    caller->fn(caller->ctx, answer, identity);
    free(caller);
}

static struct caller *judge_later(struct client_shared *shared, struct notify_str token,
                                  const char *user, caller_fn fn, void *ctx)
{
    struct caller *caller = calloc(1, sizeof(*caller));

    if (caller == NULL)
        return NULL;
    caller->fn = fn;
    caller->ctx = ctx;
    memcpy(caller->user, user, strlen(user) + 1);
    caller->judged = judge_take(&shared->admissions->judge, token, 0, on_judged, caller);
    if (caller->judged != NULL)
        return caller;
    free(caller);
    return NULL;
}

/* Where everybody is whom they say they are; who does not say it is a guest, who may do all the
 * same. */
static void take_at_word(const char *user, caller_fn fn, void *ctx)
{
    bool is_guest = user[0] == '\0';
    struct identity *identity = identity_open(is_guest ? NOTIFY_STR("guest") : notify_str_z(user));

    if (identity != NULL)
        identity->anonymous = is_guest;
    fn(ctx, identity == NULL ? CALLER_NO_MEMORY : CALLER_KNOWN, identity);
}

static void let_in(const struct authority *authority, caller_fn fn, void *ctx)
{
    struct identity *identity = authority_has_guests(authority) ? authority_guest(authority) : NULL;

    if (!authority_has_guests(authority))
        fn(ctx, CALLER_NO_TOKEN, NULL);
    else
        fn(ctx, identity == NULL ? CALLER_NO_MEMORY : CALLER_KNOWN, identity);
}

static struct caller *look_for_token(struct client_shared *shared, const struct http_request *req,
                                     bool with_cookie, const char *user, caller_fn fn, void *ctx)
{
    struct credentials credentials;
    struct caller *caller = NULL;

    credentials_find(&credentials, req, with_cookie ? shared->token_cookie : NULL);
    if (credentials.fault != NULL) {
        fn(ctx, CALLER_BAD_TOKEN, NULL);
    } else if (credentials.token.ptr == NULL) {
        let_in(shared->admissions->authority, fn, ctx);
    } else {
        caller = judge_later(shared, credentials.token, user, fn, ctx);
        if (caller == NULL)
            fn(ctx, CALLER_NO_MEMORY, NULL);
    }
    return caller;
}

struct caller *caller_find(struct client_shared *shared, const struct http_request *req,
                           bool with_cookie, caller_fn fn, void *ctx)
{
    char user[KEY_NAME_MAX + 1];

    if (!opening_read_user(user, req))
        fn(ctx, CALLER_BAD_NAME, NULL);
    else if (authority_is_open(shared->admissions->authority))
        take_at_word(user, fn, ctx);
    else
        return look_for_token(shared, req, with_cookie, user, fn, ctx);
    return NULL;
}

void caller_drop(struct caller *caller)
{
    judge_drop(caller->judged);
    free(caller);
}
