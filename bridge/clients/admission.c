#include "clients/admission.h"

#include <errno.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/heartbeat.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "base/loop.h"
#include "clients/client.h"
#include "identity/authority.h"
#include "net/conn.h"

#define TICK_MS 100
#define LOOK_EVERY_MS UINT64_C(60000)         /* the wall clock may be set meanwhile */
#define TOLD_END_MS UINT64_C(253402300800000) /* the year 10000, which ISO 8601 has no text for */

enum stage { STAGE_AWAITING, STAGE_CHECKING, STAGE_VALID, STAGE_EXPIRING };

struct admission {
    struct heartbeat_node deadline; /* first: on_due() is given it */
    struct client *client;          /* borrowed */
    struct judge_case *check;       /* a token of it that is being judged; or NULL */
    admission_fn fn;                /* who is told of that; or NULL */
    void *ctx;
    uint8_t stage;
};

static struct admissions *all_of(const struct admission *admission)
{
    return admission->client->shared->admissions;
}

static void tell(admission_fn fn, void *ctx, enum admission_answer answer)
{
    if (fn != NULL)
        fn(ctx, answer);
}

/* The client is read from again. */
static void end_check(struct admission *admission)
{
    admission->check = NULL;
    sender_call_goes_on(&admission->client->sender);
}

void admission_end(struct client *client)
{
    struct admission *admission = client->admission;

    if (admission == NULL)
        return;
    if (admission->check != NULL) {
        judge_drop(admission->check);
        end_check(admission);
        tell(admission->fn, admission->ctx, ADMISSION_DROPPED);
    }
    heartbeat_cancel(all_of(admission)->deadlines, &admission->deadline);
    free(admission);
    client->admission = NULL;
}

/* Deadlines. */

/* The next thing to happen to a token: that its end is told, or the end. */
static void set_deadline(struct admission *admission)
{
    struct admissions *all = all_of(admission);
    const struct identity *identity = admission->client->identity;
    uint64_t now_ms = loop_wall_ms(all->loop);
    uint64_t due_ms = admission->stage == STAGE_EXPIRING
                          ? authority_end_ms(all->authority, identity)
                          : identity->expires_ms - ADMISSION_WARN_MS;
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;

    heartbeat_set(all->deadlines, &admission->deadline,
                  left_ms < LOOK_EVERY_MS ? left_ms : LOOK_EVERY_MS);
}

json_t *admission_expiry(const struct client *client)
{
    char text[ISO_TIME_LEN + 1];

    if (client->identity->expires_ms >= TOLD_END_MS)
        return json_null();
    iso_time_format(text, client->identity->expires_ms);
    return json_string(text);
}

static void begin_validity(struct admission *admission)
{
    admission->stage = STAGE_VALID;
    set_deadline(admission);
}

bool admission_has_warned(const struct client *client)
{
    return client->admission != NULL && client->admission->stage == STAGE_EXPIRING;
}

void admission_skip_warning(struct client *client)
{
    if (client->admission == NULL || client->admission->stage != STAGE_VALID)
        return;
    client->admission->stage = STAGE_EXPIRING;
    set_deadline(client->admission);
}

static void watch_validity(struct admission *admission)
{
    struct admissions *all = all_of(admission);
    struct client *client = admission->client;
    uint64_t now_ms = loop_wall_ms(all->loop);

    if (now_ms >= authority_end_ms(all->authority, client->identity)) {
        counter_add(COUNTER_TOKENS_EXPIRED, 1);
        sender_close(&client->sender, CONN_CLOSE_UNAUTHORIZED, "the token has expired");
        return;
    }
    if (admission->stage == STAGE_VALID &&
        now_ms + ADMISSION_WARN_MS >= client->identity->expires_ms) {
        admission->stage = STAGE_EXPIRING;
        sender_send_json(&client->sender, json_pack("{s:s, s:o}", "type", "token_expiring",
                                                    "expires_at", admission_expiry(client)));
    }
    set_deadline(admission);
}

static void on_due(struct heartbeat_node *node)
{
    struct admission *admission = (struct admission *)node;

    if (admission->stage == STAGE_AWAITING) {
        client_limit_met(admission->client, COUNTER_AUTH_TIMEOUT);
        sender_close(&admission->client->sender, CONN_CLOSE_UNAUTHORIZED, "no token came in time");
    } else if (admission->stage != STAGE_CHECKING) {
        watch_validity(admission);
    }
}

/* Judging. */

/* Takes identity over, whose token is good. */
static void admit_first(struct admission *admission, struct identity *identity)
{
    admission->client->identity = identity;
    begin_validity(admission);
    all_of(admission)->admit(admission->client);
}

static enum admission_answer renew(struct admission *admission, struct identity *identity)
{
    struct client *client = admission->client;

    if (!notify_str_eq(identity_user(identity), client_user(client))) {
        identity_unref(identity);
        return ADMISSION_OF_ANOTHER;
    }
    identity_unref(client->identity);
    client->identity = identity;
    begin_validity(admission);
    all_of(admission)->on_renewed(client);
    return ADMISSION_GOOD;
}

static void refuse_first(struct admission *admission, enum verdict verdict)
{
    struct sender *sender = &admission->client->sender;

    if (verdict == VERDICT_NO_MEMORY)
        sender_close(sender, CONN_CLOSE_INTERNAL, "out of memory");
    else if (verdict == VERDICT_NO_KEYS)
        sender_close(sender, CONN_CLOSE_TRY_AGAIN, "tokens cannot be judged just now");
    else
        sender_close(sender, CONN_CLOSE_UNAUTHORIZED, "the token is no good");
}

/* The token of somebody who is known already, or not. identity is taken over. */
static enum admission_answer take(struct admission *admission, struct identity *identity)
{
    if (admission->client->identity != NULL)
        return renew(admission, identity);
    admit_first(admission, identity);
    return ADMISSION_GOOD;
}

static enum admission_answer refuse(struct admission *admission, enum verdict verdict)
{
    if (admission->client->identity == NULL) {
        refuse_first(admission, verdict);
        return ADMISSION_DROPPED;
    }
    return verdict == VERDICT_BAD || verdict == VERDICT_UNKNOWN_KEY ? ADMISSION_BAD
                                                                    : ADMISSION_NOT_NOW;
}

static void on_judged(void *ctx, enum verdict verdict, struct identity *identity)
{
    struct admission *admission = ctx;
    admission_fn fn = admission->fn;
    void *fn_ctx = admission->ctx;

    end_check(admission);
    tell(fn, fn_ctx,
         verdict == VERDICT_GOOD ? take(admission, identity) : refuse(admission, verdict));
}

/* -ENOMEM: nothing has begun. */
static int begin_check(struct admission *admission, struct notify_str token, admission_fn fn,
                       void *ctx)
{
    struct admissions *all = all_of(admission);

    admission->check =
        judge_take(&all->judge, token, admission->client->number, on_judged, admission);
    if (admission->check == NULL)
        return -ENOMEM;
    admission->fn = fn;
    admission->ctx = ctx;
    if (admission->stage == STAGE_AWAITING) {
        admission->stage = STAGE_CHECKING;
        heartbeat_cancel(all->deadlines, &admission->deadline);
    }
    sender_call_waits(&admission->client->sender);
    return 0;
}

/* Beginnings. */

void admission_begin(struct client *client, struct notify_str token)
{
    struct admission *admission = calloc(1, sizeof(*admission));
    struct admissions *all = client->shared->admissions;

    client->admission = admission;
    if (admission != NULL) {
        admission->client = client;
        admission->stage = STAGE_AWAITING;
    }
    if (admission == NULL || (token.ptr != NULL && begin_check(admission, token, NULL, NULL) != 0))
        sender_close(&client->sender, CONN_CLOSE_INTERNAL, "out of memory");
    else if (token.ptr == NULL)
        heartbeat_set(all->deadlines, &admission->deadline, all->timeout_ms);
}

void admission_offer(struct client *client, struct notify_str token, admission_fn fn, void *ctx)
{
    struct admission *admission = client->admission;

    if (admission == NULL) /* it needs none, or a guest stays one */
        fn(ctx, client->identity->everything ? ADMISSION_GOOD : ADMISSION_OF_ANOTHER);
    else if (admission->check != NULL || begin_check(admission, token, fn, ctx) != 0)
        fn(ctx, ADMISSION_NOT_NOW);
}

void admission_demand(struct client *client)
{
    const struct admission *admission = client->admission;

    if (client->identity == NULL && !client_is_closed(client) &&
        (admission == NULL || admission->check == NULL))
        sender_close(&client->sender, CONN_CLOSE_UNAUTHORIZED,
                     "the first message must be auth with a token");
}

int admissions_init(struct admissions *admissions)
{
    judge_init(&admissions->judge, admissions->loop, admissions->authority);
    admissions->deadlines = heartbeat_new(admissions->loop, TICK_MS, HEARTBEAT_AT_ONCE, on_due);
    return admissions->deadlines == NULL ? -ENOMEM : 0;
}

void admissions_release(struct admissions *admissions)
{
    heartbeat_free(admissions->deadlines);
}
