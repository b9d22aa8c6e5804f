#include "clients/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"

/* Tokens in a turn: 16 of ES256 take a millisecond. But one of ES384 may take 5, if it does not say
 * which of four keys it is of: after so long no other begins. */
#define JUDGED_AT_ONCE 16
#define JUDGED_US 2000

struct judge_case {
    TAILQ_ENTRY(judge_case) link; /* while it is in the queue */
    struct judge *judge;
    struct key_wait wait;
    bool queued, waits, has_waited;
    uint64_t who;
    judge_fn fn;
    void *ctx;
    size_t len;
    char token[];
};

void judge_drop(struct judge_case *judged)
{
    if (judged->queued)
        TAILQ_REMOVE(&judged->judge->waiting, judged, link);
    if (judged->waits)
        authority_wait_cancel(judged->judge->authority, &judged->wait);
    free(judged);
}

/* What peers bring is not worth a line each. */
static void log_refusal(const struct judge_case *judged, const char *why)
{
    struct judge *judge = judged->judge;
    unsigned skipped;

    counter_add(COUNTER_TOKENS_REFUSED, 1);
    log_debug("token_refused", "client", log_int((int64_t)judged->who), "reason", why);
    if (log_once(&judge->said, loop_now_ms(judge->loop), why, &skipped))
        log_warn("tokens_refused", "reason", why, "times", log_int(skipped + 1));
}

static void enqueue(struct judge_case *judged);

/* There may be other keys now. */
static void on_keys(void *ctx)
{
    struct judge_case *judged = ctx;

    judged->waits = false;
    enqueue(judged);
}

/* Is it worth while to wait for other keys? Where there is no room for that nobody can tell yet
 * whether the token is good: whoever brought it is to come again. */
static bool waits_for_keys(struct judge_case *judged, enum verdict *verdict)
{
    enum key_waiting waiting;

    if (judged->has_waited || (*verdict != VERDICT_UNKNOWN_KEY && *verdict != VERDICT_NO_KEYS))
        return false;
    judged->has_waited = true;
    judged->wait = (struct key_wait){.fn = on_keys, .ctx = judged};
    waiting = authority_wait(judged->judge->authority, &judged->wait);
    judged->waits = waiting == KEY_WAITING;
    if (waiting == KEY_WAIT_CROWDED)
        *verdict = VERDICT_NO_KEYS;
    return judged->waits;
}

static void conclude(struct judge_case *judged, enum verdict verdict, struct identity *identity)
{
    judge_fn fn = judged->fn;
    void *ctx = judged->ctx;

    judge_drop(judged);
    fn(ctx, verdict, identity);
}

static void look_at(struct judge_case *judged)
{
    struct identity *identity = NULL;
    const char *why = "";
    enum verdict verdict = authority_judge(
        judged->judge->authority, notify_str_of(judged->token, judged->len), &identity, &why);

    counter_add(COUNTER_TOKENS_JUDGED, 1);
    if (waits_for_keys(judged, &verdict))
        return;
    if (verdict != VERDICT_GOOD)
        log_refusal(judged, why);
    conclude(judged, verdict, identity);
}

static void work(void *ctx)
{
    struct judge *judge = ctx;
    uint64_t end_us = loop_clock_us() + JUDGED_US;
    struct judge_case *judged;

    for (int i = 0; (i == 0 || (i < JUDGED_AT_ONCE && loop_clock_us() < end_us)) &&
                    (judged = TAILQ_FIRST(&judge->waiting)) != NULL;
         i++) {
        TAILQ_REMOVE(&judge->waiting, judged, link);
        judged->queued = false;
        look_at(judged);
    }
    judge->working = !TAILQ_EMPTY(&judge->waiting);
    if (judge->working)
        loop_defer(judge->loop, work, judge);
}

static void enqueue(struct judge_case *judged)
{
    struct judge *judge = judged->judge;

    TAILQ_INSERT_TAIL(&judge->waiting, judged, link);
    judged->queued = true;
    if (!judge->working)
        loop_defer(judge->loop, work, judge);
    judge->working = true;
}

struct judge_case *judge_take(struct judge *judge, struct notify_str token, uint64_t who,
                              judge_fn fn, void *ctx)
{
    struct judge_case *judged = calloc(1, sizeof(*judged) + token.len);

    if (judged == NULL)
        return NULL;
    judged->judge = judge;
    judged->who = who;
    judged->fn = fn;
    judged->ctx = ctx;
    judged->len = token.len;
    if (token.len > 0)
        memcpy(judged->token, token.ptr, token.len);
    enqueue(judged);
    return judged;
}

void judge_init(struct judge *judge, struct loop *loop, struct authority *authority)
{
    *judge = (struct judge){.loop = loop, .authority = authority};
    TAILQ_INIT(&judge->waiting);
}
