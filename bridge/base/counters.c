#include "base/counters.h"

#include <string.h>

uint64_t counter_values[COUNTERS];

#define LIMIT_LABEL "limit=\""
#define LIMIT(name)                                                                                \
    {                                                                                              \
        "notify_limit_hits_total", COUNTER_GROWS, LIMIT_LABEL name "\"",                           \
            "How often a limit was met, by its name (docs/limits.md)."                             \
    }

#define ERRORS(code)                                                                               \
    {                                                                                              \
        "notify_errors_total", COUNTER_GROWS, "code=\"" code "\"",                                 \
            "Requests of clients that were answered by an error, by its code."                     \
    }

static struct {
    void (*fn)(void *ctx);
    void *ctx;
} gauges;

const struct counter_info counter_infos[COUNTERS] = {
    [COUNTER_CLIENTS_OPENED] = {"notify_clients_opened_total", COUNTER_GROWS, "",
                                "Clients that have connected."},
    [COUNTER_CLIENTS_BEHIND] = LIMIT("outbox-bytes"),
    [COUNTER_CLIENTS_TOO_SLOW] = LIMIT("slow-client-timeout"),
    [COUNTER_CONTROL_FLOODS] = LIMIT("max-control-frames"),
    [COUNTER_SOCKETS_REFUSED] = LIMIT("max-connections"),
    [COUNTER_ADDRESS_CONNECTIONS] = LIMIT("max-connections-per-address"),
    [COUNTER_ADDRESS_ATTEMPTS] = LIMIT("connect-rate"),
    [COUNTER_ADDRESSES_FORGOTTEN] = LIMIT("max-addresses"),
    [COUNTER_MESSAGES_TOO_BIG] = LIMIT("max-message-bytes"),
    [COUNTER_MESSAGES_TOO_MANY] = LIMIT("message-rate"),
    [COUNTER_MESSAGES_TOO_DEEP] = LIMIT("json-depth"),
    [COUNTER_REQUESTS_TOO_MANY] = LIMIT("request-rate"),
    [COUNTER_SUBSCRIPTIONS_REFUSED] = LIMIT("max-subscriptions"),
    [COUNTER_CHANNEL_MESSAGES_TOO_BIG] = LIMIT("max-channel-message"),
    [COUNTER_CHANNEL_PATTERNS] = LIMIT("max-channel-patterns"),
    [COUNTER_IDLE] = LIMIT("ws-connection-timeout"),
    [COUNTER_SSE_INPUT] = LIMIT("sse-input-bytes"),
    [COUNTER_HTTP_TARGETS] = LIMIT("http-target-bytes"),
    [COUNTER_HTTP_HEADS] = LIMIT("http-head-bytes"),
    [COUNTER_HTTP_BODIES] = LIMIT("http-body-bytes"),
    [COUNTER_HTTP_TIME] = LIMIT("http-request-time"),
    [COUNTER_LIMIT_LINES_KEPT_BACK] =
        {"notify_limit_lines_kept_back_total", COUNTER_GROWS, "",
         "Lines about limits that were not written to the log, as there were too many."},
    [COUNTER_SESSION_CONNECTIONS] = LIMIT("max-connections-per-session"),
    [COUNTER_USER_SESSIONS] = LIMIT("max-sessions-per-user"),
    [COUNTER_SESSIONS_CLOSING] = LIMIT("sessions-closing"),
    [COUNTER_PRESENCE_MESSAGES] = LIMIT("presence-messages"),
    [COUNTER_SESSIONS_FAILED] =
        {"notify_session_errors_total", COUNTER_GROWS, "",
         "Commands about session sets that Redis refused: the clients are there without."},
    [COUNTER_SESSIONS_LOST] =
        {"notify_sessions_reopened_total", COUNTER_GROWS, "",
         "How often Redis did not know connections any more, which were opened again."},
    [COUNTER_KICKED] = {"notify_clients_kicked_total", COUNTER_GROWS, "",
                        "Clients that were closed because their session was ended."},
    [COUNTER_SESSION_SETS] = {"notify_session_sets", COUNTER_GAUGE, "",
                              "Session sets that clients of this bridge are in, or watch."},
    [COUNTER_REQUESTS_HELD_BACK] =
        {"notify_requests_held_back_total", COUNTER_GROWS, "",
         "How often the input of a client waited: it had as much under way or unread as it may."},
    [COUNTER_COMMANDS_WAITED] = {"notify_commands_waited_total", COUNTER_GROWS, "",
                                 "Commands to Redis for clients that had to stand in line."},
    [COUNTER_COMMANDS_REFUSED] = LIMIT("commands-in-line"),
    [COUNTER_LINGER_CHANNELS] = LIMIT("max-lingering"),
    [COUNTER_LINGER_PER_CLIENT] = LIMIT("max-lingering-per-client"),
    [COUNTER_SUBSCRIPTIONS_LEAVING] = LIMIT("subscriptions-leaving"),
    [COUNTER_STASHED_EVENTS] = LIMIT("stashed-events"),
    [COUNTER_STASHED_BYTES] = LIMIT("stashed-bytes"),
    [COUNTER_EVENTS_LOST_VOLATILE] =
        {"notify_events_lost_total", COUNTER_GROWS, "",
         "Events that are not stored and that a slow client did not get."},
    [COUNTER_EVENTS_FOREIGN] = {"notify_events_foreign_total", COUNTER_GROWS, "",
                                "Messages on a box's channel that are none of the module's."},
    [COUNTER_EVENTS_DOUBTED] =
        {"notify_events_doubted_total", COUNTER_GROWS, "",
         "Messages that did not fit to the one before: Redis was asked what is true."},
    [COUNTER_FLUSHED] = {"notify_flushed_total", COUNTER_GROWS, "",
                         "Times that Redis said that all keys are gone or others."},
    [COUNTER_GAPS_REPAIRED] = {"notify_gaps_repaired_total", COUNTER_GROWS, "",
                               "Gaps in what Redis published that were read from the box."},
    [COUNTER_HTTP_REFUSED] = {"notify_http_refused_total", COUNTER_GROWS, "",
                              "HTTP requests that were malformed or asked for what is not there."},
    [COUNTER_TOKENS_JUDGED] = {"notify_tokens_judged_total", COUNTER_GROWS, "",
                               "Tokens that were verified, good ones and others."},
    [COUNTER_TOKENS_REFUSED] = {"notify_tokens_refused_total", COUNTER_GROWS, "",
                                "Tokens of clients that were no good."},
    [COUNTER_TOKENS_EXPIRED] = {"notify_tokens_expired_total", COUNTER_GROWS, "",
                                "Connections that were closed since their token had expired."},
    [COUNTER_AUTH_TIMEOUT] = LIMIT("auth-timeout"),
    [COUNTER_KEYS_AWAITED] = LIMIT("keys-awaited"),
    [COUNTER_CATEGORIES] = LIMIT("categories-per-client"),
    [COUNTER_LOGS] = LIMIT("logs-per-user"),
    [COUNTER_LOGS_REFUSED] =
        {"notify_logs_refused_total", COUNTER_GROWS, "",
         "How often Redis did not let an inbox follow the logs of its user: they are delivered, "
         "but not counted."},
    [COUNTER_IDEMPOTENCY_KEYS] = LIMIT("idempotency-keys"),
    [COUNTER_AGENT_REQUESTS] = LIMIT("max-agent-requests"),
    [COUNTER_AGENT_REQUESTS_OF_CLIENT] = LIMIT("max-agent-requests-per-client"),
    [COUNTER_AGENT_REQUESTS_OF_USER] = LIMIT("max-agent-requests-per-user"),
    [COUNTER_AGENT_ANSWERS] = LIMIT("max-agent-answer-bytes"),
    [COUNTER_AGENT_TIMEOUT] = LIMIT("agent-timeout"),
    [COUNTER_AGENT_ASKED] = {"notify_agent_requests_total", COUNTER_GROWS, "",
                             "Requests to an agent that were put into its stream."},
    [COUNTER_AGENT_WAITING] = {"notify_agent_requests_waiting", COUNTER_GAUGE, "",
                               "Requests that wait for an agent."},
    [COUNTER_CONNECTIONS] = {"notify_connections", COUNTER_GAUGE, "transport=\"websocket\"",
                             "Open connections of clients."},
    [COUNTER_STREAMS] = {"notify_connections", COUNTER_GAUGE, "transport=\"sse\"",
                         "Open connections of clients."},
    [COUNTER_SOCKETS] = {"notify_sockets", COUNTER_GAUGE, "",
                         "Open sockets of clients, whatever they carry."},
    [COUNTER_CHANNELS] = {"notify_channels", COUNTER_GAUGE, "",
                          "Channels of Redis that are subscribed, or are about to be."},
    [COUNTER_CHANNELS_LINGERING] = {"notify_channels_lingering", COUNTER_GAUGE, "",
                                    "Channels among them that nobody follows any more."},
    [COUNTER_COMMANDS_IN_LINE] = {"notify_commands_in_line", COUNTER_GAUGE, "",
                                  "Commands to Redis for clients that stand in line."},
    [COUNTER_SUBSCRIBER_UP] = {"notify_redis_link_up", COUNTER_GAUGE, "link=\"subscriber\"",
                               "Whether a link to Redis is up."},
    [COUNTER_COMMANDS_UP] = {"notify_redis_link_up", COUNTER_GAUGE, "link=\"commands\"",
                             "Whether a link to Redis is up."},
    [COUNTER_MESSAGES_RECEIVED] = {"notify_messages_received_total", COUNTER_GROWS, "",
                                   "Messages of clients over WebSocket."},
    [COUNTER_EVENTS_DELIVERED] =
        {"notify_events_delivered_total", COUNTER_GROWS, "",
         "Events that clients were sent, for each once; those that a slow one is sent anew count "
         "again."},
    [COUNTER_ERRORS_BAD_JSON] = ERRORS("BAD_JSON"),
    [COUNTER_ERRORS_UNKNOWN_TYPE] = ERRORS("UNKNOWN_TYPE"),
    [COUNTER_ERRORS_MISSING_FIELD] = ERRORS("MISSING_FIELD"),
    [COUNTER_ERRORS_INVALID_FIELD] = ERRORS("INVALID_FIELD"),
    [COUNTER_ERRORS_FORBIDDEN] = ERRORS("FORBIDDEN"),
    [COUNTER_ERRORS_UNAUTHORIZED] = ERRORS("UNAUTHORIZED"),
    [COUNTER_ERRORS_NOT_FOUND] = ERRORS("NOT_FOUND"),
    [COUNTER_ERRORS_CONFLICT] = ERRORS("CONFLICT"),
    [COUNTER_ERRORS_LIMIT_REACHED] = ERRORS("LIMIT_REACHED"),
    [COUNTER_ERRORS_RATE_LIMITED] = ERRORS("RATE_LIMITED"),
    [COUNTER_ERRORS_TOO_MANY_SUBSCRIPTIONS] = ERRORS("TOO_MANY_SUBSCRIPTIONS"),
    [COUNTER_ERRORS_TOO_MANY_REQUESTS] = ERRORS("TOO_MANY_REQUESTS"),
    [COUNTER_ERRORS_PROCESSING_ERROR] = ERRORS("PROCESSING_ERROR"),
    [COUNTER_ERRORS_UNAVAILABLE] = ERRORS("UNAVAILABLE"),
};

void counters_know_gauges(void (*fn)(void *ctx), void *ctx)
{
    gauges.fn = fn;
    gauges.ctx = ctx;
}

void counters_set_gauges(void)
{
    if (gauges.fn != NULL)
        gauges.fn(gauges.ctx);
}

struct notify_str counter_limit_name(enum counter counter)
{
    struct notify_str label = notify_str_z(counter_infos[counter].labels);
    struct notify_str begin = NOTIFY_STR(LIMIT_LABEL);

    if (label.len <= begin.len || memcmp(label.ptr, begin.ptr, begin.len) != 0)
        return (struct notify_str){NULL, 0};
    return notify_str_of(label.ptr + begin.len, label.len - begin.len - 1);
}
