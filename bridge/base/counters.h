/* counters -- what the process counts about itself: one table of names, types and help, one array
 * of numbers. Everything that is limited counts here what its limit has met, by the limit's name.
 *
 * The names are those of OpenMetrics (Prometheus): lower case, the unit at the end, _total where a
 * number only grows. A row is added in counters.c and its name below; /metrics prints the table. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

#include "notify_str.h"

enum counter {
    COUNTER_CLIENTS_OPENED,
    COUNTER_CLIENTS_BEHIND,
    COUNTER_CLIENTS_TOO_SLOW,
    COUNTER_REQUESTS_HELD_BACK,
    COUNTER_LINGER_CHANNELS,
    COUNTER_LINGER_PER_CLIENT,
    COUNTER_SUBSCRIPTIONS_LEAVING,
    COUNTER_STASHED_EVENTS,
    COUNTER_STASHED_BYTES,
    COUNTER_COMMANDS_WAITED,
    COUNTER_COMMANDS_REFUSED,
    COUNTER_EVENTS_LOST_VOLATILE,
    COUNTER_EVENTS_FOREIGN,
    COUNTER_EVENTS_DOUBTED,
    COUNTER_FLUSHED,
    COUNTER_GAPS_REPAIRED,
    COUNTER_CONTROL_FLOODS,
    COUNTER_SOCKETS_REFUSED,
    COUNTER_ADDRESS_CONNECTIONS,
    COUNTER_ADDRESS_ATTEMPTS,
    COUNTER_ADDRESSES_FORGOTTEN,
    COUNTER_MESSAGES_TOO_BIG,
    COUNTER_MESSAGES_TOO_MANY,
    COUNTER_MESSAGES_TOO_DEEP,
    COUNTER_REQUESTS_TOO_MANY,
    COUNTER_SUBSCRIPTIONS_REFUSED,
    COUNTER_CHANNEL_MESSAGES_TOO_BIG,
    COUNTER_CHANNEL_PATTERNS,
    COUNTER_IDLE,
    COUNTER_SSE_INPUT,
    COUNTER_HTTP_TARGETS,
    COUNTER_HTTP_HEADS,
    COUNTER_HTTP_BODIES,
    COUNTER_HTTP_TIME,
    COUNTER_LIMIT_LINES_KEPT_BACK,
    COUNTER_SESSION_CONNECTIONS,
    COUNTER_USER_SESSIONS,
    COUNTER_SESSIONS_CLOSING,
    COUNTER_PRESENCE_MESSAGES,
    COUNTER_SESSIONS_FAILED,
    COUNTER_SESSIONS_LOST,
    COUNTER_KICKED,
    COUNTER_SESSION_SETS,
    COUNTER_HTTP_REFUSED,
    COUNTER_CATEGORIES,
    COUNTER_LOGS,
    COUNTER_LOGS_REFUSED,
    COUNTER_TOKENS_JUDGED,
    COUNTER_TOKENS_REFUSED,
    COUNTER_TOKENS_EXPIRED,
    COUNTER_AUTH_TIMEOUT,
    COUNTER_KEYS_AWAITED,
    COUNTER_IDEMPOTENCY_KEYS,
    COUNTER_AGENT_REQUESTS,
    COUNTER_AGENT_REQUESTS_OF_CLIENT,
    COUNTER_AGENT_REQUESTS_OF_USER,
    COUNTER_AGENT_ANSWERS,
    COUNTER_AGENT_TIMEOUT,
    COUNTER_AGENT_ASKED,
    COUNTER_CONNECTIONS, /* the first gauge; none of them is of a limit */
    COUNTER_STREAMS,
    COUNTER_SOCKETS,
    COUNTER_CHANNELS,
    COUNTER_CHANNELS_LINGERING,
    COUNTER_COMMANDS_IN_LINE,
    COUNTER_AGENT_WAITING,
    COUNTER_SUBSCRIBER_UP,
    COUNTER_COMMANDS_UP,
    /* Nor are these of a limit. */
    COUNTER_MESSAGES_RECEIVED,
    COUNTER_EVENTS_DELIVERED,
    COUNTER_ERRORS_BAD_JSON,
    COUNTER_ERRORS_UNKNOWN_TYPE,
    COUNTER_ERRORS_MISSING_FIELD,
    COUNTER_ERRORS_INVALID_FIELD,
    COUNTER_ERRORS_FORBIDDEN,
    COUNTER_ERRORS_UNAUTHORIZED,
    COUNTER_ERRORS_NOT_FOUND,
    COUNTER_ERRORS_CONFLICT,
    COUNTER_ERRORS_LIMIT_REACHED,
    COUNTER_ERRORS_RATE_LIMITED,
    COUNTER_ERRORS_TOO_MANY_SUBSCRIPTIONS,
    COUNTER_ERRORS_TOO_MANY_REQUESTS,
    COUNTER_ERRORS_PROCESSING_ERROR,
    COUNTER_ERRORS_UNAVAILABLE,
    COUNTERS,
};

enum counter_kind {
    COUNTER_GROWS, /* _total in its name */
    COUNTER_GAUGE, /* goes up and down; set when somebody wants to know */
};

/* Rows of one name have the same kind and help. */
struct counter_info {
    const char *name; /* "notify_limit_hits_total" */
    enum counter_kind kind;
    const char *labels; /* "limit=\"outbox-bytes\"", or "" */
    const char *help;
};

extern const struct counter_info counter_infos[COUNTERS];
/* The name of a limit, as in the label of its counter; empty: the counter is none of a limit. */
struct notify_str counter_limit_name(enum counter counter);
extern uint64_t counter_values[COUNTERS];

static inline void counter_add(enum counter counter, uint64_t n)
{
    counter_values[counter] += n;
}

static inline void counter_set(enum counter counter, uint64_t value)
{
    counter_values[counter] = value;
}

/* Who knows the gauges: fn sets them. To be said once; until then they stay what they are. */
void counters_know_gauges(void (*fn)(void *ctx), void *ctx);
/* Has them set: before they are looked at. */
void counters_set_gauges(void);

#endif
