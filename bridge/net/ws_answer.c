#include "net/ws_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/short_time.h"
#include "net/carrier.h"
#include "net/conn_base.h"

struct ws_answer *ws_answer_new(struct conn *conn, const char *bytes, size_t len)
{
    struct ws_answer *answer = malloc(sizeof(*answer) + len);

    if (answer == NULL)
        return NULL;
    answer->conn = conn;
    answer->held = false;
    answer->len = (uint32_t)len;
    memcpy(answer->bytes, bytes, len);
    return answer;
}

static void let_go(struct ws_answer *answer)
{
    if (answer->held)
        TAILQ_REMOVE(&answer->conn->transport->answers, answer, link);
    answer->held = false;
}

void ws_answer_free(struct ws_answer *answer)
{
    if (answer == NULL)
        return;
    let_go(answer);
    free(answer);
}

/* The timer may be set already for one that has gone: then it finds nothing to do. */
void ws_answer_hold(struct ws_answer *answer)
{
    struct transport *transport = answer->conn->transport;

    if (answer->held)
        return;
    if (TAILQ_EMPTY(&transport->answers))
        loop_timer_set(transport->answers_timer, CARRIER_ANSWER_MS);
    answer->until = short_time(loop_now_ms(transport->loop) + CARRIER_ANSWER_MS);
    answer->held = true;
    TAILQ_INSERT_TAIL(&transport->answers, answer, link);
}

void ws_answers_send(void *ctx)
{
    struct transport *transport = ctx;
    uint64_t now_ms = loop_now_ms(transport->loop), until_ms;
    struct ws_answer *answer;

    for (int i = 0; (answer = TAILQ_FIRST(&transport->answers)) != NULL; i++) {
        until_ms = short_time_ms(answer->until, now_ms);
        if (until_ms > now_ms || i == CARRIER_ANSWERS_AT_ONCE) {
            loop_timer_set(transport->answers_timer, until_ms > now_ms ? until_ms - now_ms : 0);
            return;
        }
        let_go(answer);
        conn_say_first(answer->conn);
    }
}
