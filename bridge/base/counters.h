/* counters -- what the process counts about itself: one table of names, types and help, one array
 * of numbers. Everything that is limited counts here what its limit has met, by the limit's name.
 *
 * Several processes that are one bridge (workers) each write a row of their own, in memory that
 * they share, and read all rows. A row outlives its process: its successor goes on counting there.
 *
 * The names are those of OpenMetrics (Prometheus): lower case, the unit at the end, _total where a
 * number only grows. A row is added in counters.c and its name below; /metrics prints the table. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdbool.h>
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
    COUNTER_AHEAD_DROPPED,
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
    COUNTER_MESSAGE_BLOCKS,
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
    COUNTER_SOCKETIO_SILENT,
    COUNTER_SOCKETIO_CONNECT_TIMEOUT,
    COUNTER_SOCKETIO_ATTACHMENTS,
    COUNTER_SESSION_CONNECTIONS,
    COUNTER_USER_SESSIONS,
    COUNTER_SESSIONS_CLOSING,
    COUNTER_PRESENCE_MESSAGES,
    COUNTER_SESSIONS_FAILED,
    COUNTER_HTTP_REFUSED,
    COUNTER_CATEGORIES,
    COUNTER_LOGS,
    COUNTER_LOGS_REFUSED,
    COUNTER_TOKENS_JUDGED,
    COUNTER_TOKENS_REFUSED,
    COUNTER_TOKENS_EXPIRED,
    COUNTER_STATES_REFUSED,
    COUNTER_AUTH_TIMEOUT,
    COUNTER_KEYS_AWAITED,
    COUNTER_IDEMPOTENCY_KEYS,
    COUNTER_SENTINELS,
    COUNTER_CLUSTER_NODES,
    COUNTER_REDIRECTIONS,
    COUNTER_AGENT_REQUESTS,
    COUNTER_AGENT_REQUESTS_OF_CLIENT,
    COUNTER_AGENT_REQUESTS_OF_USER,
    COUNTER_AGENT_ANSWERS,
    COUNTER_AGENT_TIMEOUT,
    COUNTER_POLL_INPUT,
    COUNTER_POLL_STATE,
    COUNTER_RECOVERY_STATE,
    COUNTER_SESSION_JOURNAL,
    COUNTER_POLLS_KEPT,
    COUNTER_OPERATORS,
    COUNTER_CONNECTIONS, /* the first gauge; none of them is of a limit */
    COUNTER_STREAMS,
    COUNTER_SOCKETS,
    COUNTER_CHANNELS,
    COUNTER_CHANNELS_LINGERING,
    COUNTER_READ_AHEAD,
    COUNTER_COMMANDS_IN_LINE,
    COUNTER_AGENT_WAITING,
    COUNTER_SUBSCRIPTIONS,
    COUNTER_CLIENTS_NOTIFY,
    COUNTER_CLIENTS_TOPIC,
    COUNTER_CLIENTS_SESSION,
    COUNTER_CLIENTS_EVENTS,
    COUNTER_CLIENTS_CHAT,
    COUNTER_CLIENTS_SOCKETIO,
    COUNTER_SUBSCRIBER_UP,
    COUNTER_COMMANDS_UP,
    COUNTER_READY,
    COUNTER_LEAVING,
    COUNTER_MODULE_UP,
    COUNTER_TOKENS_UP,
    COUNTER_POLLED,
    COUNTER_SOCKETS_MAX,
    COUNTER_MEMORY_RESIDENT,
    COUNTER_MEMORY_RECENT,
    COUNTER_MEMORY_STASHED,
    COUNTER_WORKERS,
    COUNTER_BUILD,
    /* Nor are these of a limit. */
    COUNTER_WORKER_RESTARTS,
    COUNTER_SESSIONS_DROPPED,
    COUNTER_POLLS_FAILED,
    COUNTER_AGENT_ASKED,
    COUNTER_KICKED,
    COUNTER_SESSION_SETS,
    COUNTER_SESSIONS_LOST,
    COUNTER_CPU_US,
    COUNTER_BYTES_RECEIVED,
    COUNTER_BYTES_SENT,
    COUNTER_ANSWERS_SENT,
    COUNTER_REFILLS,
    COUNTER_NOTIFICATIONS_HEARD,
    COUNTER_DROPPED_BEHIND,
    COUNTER_DROPPED_SLOW,
    COUNTER_DROPPED_AHEAD,
    COUNTER_DROPPED_TOO_BIG,
    COUNTER_DROPPED_FOREIGN,
    COUNTER_CLOSED_NORMAL,
    COUNTER_CLOSED_GOING_AWAY,
    COUNTER_CLOSED_ABNORMAL,
    COUNTER_CLOSED_POLICY,
    COUNTER_CLOSED_TOO_BIG,
    COUNTER_CLOSED_INTERNAL,
    COUNTER_CLOSED_RESTART,
    COUNTER_CLOSED_TRY_AGAIN,
    COUNTER_CLOSED_ABUSE,
    COUNTER_CLOSED_UNAUTHORIZED,
    COUNTER_CLOSED_FORBIDDEN,
    COUNTER_CLOSED_IDLE,
    COUNTER_CLOSED_TOO_MANY,
    COUNTER_CLOSED_KICKED,
    COUNTER_CLOSED_TOO_SLOW,
    COUNTER_CLOSED_RATE_LIMITED,
    COUNTER_CLOSED_OTHERWISE,
    COUNTER_SLOW_ACCEPT,
    COUNTER_SLOW_CLIENTS,
    COUNTER_SLOW_REDIS,
    COUNTER_SLOW_DELIVERY,
    COUNTER_SLOW_FILES,
    COUNTER_SLOW_TIMER,
    COUNTER_SLOW_DEFERRED,
    COUNTER_SLOW_SIGNAL,
    COUNTER_SLOW_OFF_CPU,
    COUNTER_SLOW_LINES_KEPT_BACK,
    COUNTER_MESSAGES_RECEIVED,
    COUNTER_EVENTS_DELIVERED,
    COUNTER_BROADCASTS_HEARD,
    COUNTER_BROADCASTS_UNHEARD,
    COUNTER_DELIVERY_LINES_KEPT_BACK,
    COUNTER_REACH_DELIVERED,
    COUNTER_REACH_WAITING,
    COUNTER_REACH_LATER,
    COUNTER_REACH_ENDED,
    COUNTER_REACH_TOO_SLOW,
    COUNTER_REACH_NO_MEMORY,
    COUNTER_MARKED_SEEN,
    COUNTER_MARKED_READ,
    COUNTER_DEFLATE_TAKEN,
    COUNTER_DEFLATE_DECLINED,
    COUNTER_DEFLATED,
    COUNTER_DEFLATED_PLAIN_BYTES,
    COUNTER_DEFLATED_BYTES,
    COUNTER_INFLATED,
    COUNTER_INFLATED_BYTES,
    COUNTER_INFLATED_PLAIN_BYTES,
    COUNTER_TLS_WITHOUT_CERTIFICATE,
    COUNTER_TLS_WITH_CERTIFICATE,
    COUNTER_TLS_REFUSED_CERTIFICATE,
    COUNTER_TLS_REFUSED_VERSION,
    COUNTER_TLS_REFUSED_CIPHER,
    COUNTER_TLS_REFUSED_OTHER,
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
    COUNTER_GROWS,    /* _total in its name */
    COUNTER_GROWS_US, /* the same: microseconds, shown as seconds */
    COUNTER_GAUGE,    /* goes up and down; set when somebody wants to know */
    COUNTER_SAME,     /* the same: but of several processes each says it, and it is not added up */
};

/* Rows of one name have the same kind and help. */
struct counter_info {
    const char *name; /* "notify_limit_hits_total" */
    enum counter_kind kind;
    const char *labels; /* "limit=\"outbox-bytes\"", or "" */
    const char *help;
};

/* Values of a row behind the counters: those of histograms (base/histograms.h). */
#define COUNTERS_ROOM 96

extern const struct counter_info counter_infos[COUNTERS];
/* The name of a limit, as in the label of its counter; empty: the counter is none of a limit. */
struct notify_str counter_limit_name(enum counter counter);
extern uint64_t *counter_values; /* of this process */

static inline void counter_add(enum counter counter, uint64_t n)
{
    counter_values[counter] += n;
}

static inline void counter_set(enum counter counter, uint64_t value)
{
    counter_values[counter] = value;
}

/* Makes rows for so many processes, which are forked after that. 0 or -ENOMEM. */
int counters_share(unsigned rows);
/* From now on this process is the one that writes that row. */
void counters_take_row(unsigned row);
/* Its process is gone: nothing is there any more. */
void counters_clear_gauges(unsigned row);
/* This process is at work at that time (monotonic clock, ms); when each was so last, 0: it has not
 * been yet, or is gone. */
void counters_beat(uint64_t now_ms);
uint64_t counters_beat_of(unsigned row);
/* 1 unless they are shared. */
unsigned counters_rows(void);
uint64_t *counters_row(unsigned row);
/* Of all rows. */
uint64_t counter_total(enum counter counter);
/* Is a gauge above zero in all rows? */
bool counter_is_set_in_all(enum counter counter);

/* Who knows the gauges: fn sets them. To be said once; until then they stay what they are. */
void counters_know_gauges(void (*fn)(void *ctx), void *ctx);
/* Has them set: before they are looked at. */
void counters_set_gauges(void);

#endif
