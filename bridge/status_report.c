#include "status_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "backend.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/loop.h"
#include "identity/key_names.h"
#include "net/transport.h"
#include "redis/resp.h"
#include "redis/turns.h"

#define SUBJECT "system_status"
#define REPLY_BYTES 512
#define KEPT_INTERVALS 3 /* so long the last one is kept; nobody speaks any more then */

static void on_reply(void *ctx, const struct resp *reply)
{
    (void)ctx;
    if (reply != NULL && reply->kind == RESP_ERROR)
        log_warn("status_failed", "text", log_bytes(reply->str.ptr, reply->str.len));
}

/* The texts of a command. */
struct texts {
    char data[256], token[64], kept[24];
};

static struct texts texts_of(const struct status_report *report, uint64_t number)
{
    struct texts ret;

    (void)snprintf(ret.data, sizeof(ret.data),
                   "{\"status\":\"%s\",\"metrics\":{\"connections\":%zu,\"events_lost\":%" PRIu64
                   ",\"clients_too_slow\":%" PRIu64 "}}",
                   backend_is_ready(report->backend) ? "healthy" : "degraded",
                   transport_count(report->transport), counter_values[COUNTER_EVENTS_LOST_VOLATILE],
                   counter_values[COUNTER_CLIENTS_TOO_SLOW]); /* there is room, here and below */
    (void)snprintf(ret.token, sizeof(ret.token), SUBJECT ":%" PRIu64 ":%" PRIu64,
                   report->interval_ms, number);
    (void)snprintf(ret.kept, sizeof(ret.kept), "%" PRIu64, KEPT_INTERVALS * report->interval_ms);
    return ret;
}

/* Where there is no way to Redis nobody can be told of that. */
static void say(const struct status_report *report, uint64_t number)
{
    struct key_buffer buffer;
    const struct texts texts = texts_of(report, number);
    const struct notify_str argv[] = {
        NOTIFY_STR("NOTIFY.EVENT"), key_of(report->keys, KEY_TOPIC, NOTIFY_STR(SUBJECT), &buffer),
        NOTIFY_STR(SUBJECT),        NOTIFY_STR("DATA"),
        notify_str_z(texts.data),   NOTIFY_STR("IDEMPOTENT"),
        notify_str_z(texts.token),  NOTIFY_STR("COLLAPSE"),
        NOTIFY_STR(SUBJECT),        NOTIFY_STR("PX"),
        notify_str_z(texts.kept),
    };
    const struct turn turn = {.argc = sizeof(argv) / sizeof(argv[0]),
                              .argv = argv,
                              .reply_bytes = REPLY_BYTES,
                              .fn = on_reply};

    (void)turns_command(report->backend->turns, &turn);
}

/* Until the next interval begins; then some time of it has passed, be it for a clock that is set.
 */
static void wait_for_next(struct status_report *report)
{
    uint64_t into = loop_wall_ms(report->loop) % report->interval_ms;

    loop_timer_set(report->timer, report->interval_ms - into);
}

static void on_timer(void *ctx)
{
    struct status_report *self = ctx;

    say(self, loop_wall_ms(self->loop) / self->interval_ms);
    wait_for_next(self);
}

int status_report_start(struct status_report *report)
{
    report->timer = loop_timer_new(report->loop, on_timer, report);
    if (report->timer == NULL)
        return -ENOMEM;
    wait_for_next(report);
    return 0;
}

void status_report_release(struct status_report *report)
{
    if (report->timer != NULL)
        loop_timer_free(report->timer);
    report->timer = NULL;
}
