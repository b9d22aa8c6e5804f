#include "base/counters.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* Two processes do not write to one cache line. */
#define BEAT (COUNTERS + COUNTERS_ROOM)
#define ROW_VALUES ((BEAT + 1 + 7) / 8 * 8)

static uint64_t own[ROW_VALUES];
static struct {
    uint64_t *values;
    unsigned len;
} rows = {own, 1};

uint64_t *counter_values = own;

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

#define BROADCASTS(followers)                                                                      \
    {                                                                                              \
        "notify_broadcasts_total", COUNTER_GROWS, "followers=\"" followers "\"",                   \
            "What Redis published and this bridge handed to those who follow it, if there were "   \
            "any."                                                                                 \
    }

#define CLIENTS(kind)                                                                              \
    {                                                                                              \
        "notify_clients", COUNTER_GAUGE, "kind=\"" kind "\"",                                      \
            "Clients that are there, by the protocol that they speak."                             \
    }

#define MARKED(state)                                                                              \
    {                                                                                              \
        "notify_notifications_marked_total", COUNTER_GROWS, "state=\"" state "\"",                 \
            "Notifications that clients of this bridge have marked, or were shown (seen)."         \
    }

#define DEFLATE_OFFERS(outcome)                                                                    \
    {                                                                                              \
        "notify_compression_offers_total", COUNTER_GROWS, "outcome=\"" outcome "\"",               \
            "WebSockets that came with an offer of compression (--compress)."                      \
    }

#define COMPRESSED(direction)                                                                      \
    {                                                                                              \
        "notify_compressed_messages_total", COUNTER_GROWS, "direction=\"" direction "\"",          \
            "Messages that were compressed (out: each once, however many get it), or came so."     \
    }

#define COMPRESSED_BYTES(direction, size)                                                          \
    {                                                                                              \
        "notify_compressed_bytes_total", COUNTER_GROWS,                                            \
            "direction=\"" direction "\",size=\"" size "\"",                                       \
            "Bytes of those messages, plain and compressed."                                       \
    }

#define HANDSHAKES(certificate)                                                                    \
    {                                                                                              \
        "notify_tls_handshakes_total", COUNTER_GROWS, "certificate=\"" certificate "\"",           \
            "Handshakes of TLS with clients that were made, by the client's certificate."          \
    }

#define TLS_REFUSED(reason)                                                                        \
    {                                                                                              \
        "notify_tls_refused_total", COUNTER_GROWS, "reason=\"" reason "\"",                        \
            "Handshakes of TLS with clients that were refused."                                    \
    }

#define DROPPED(reason)                                                                            \
    {                                                                                              \
        "notify_events_dropped_total", COUNTER_GROWS, "reason=\"" reason "\"",                     \
            "Events that were dropped on the way to a connection, or to all, by the reason: what " \
            "lags (behind), or is more than may be kept (ahead), is read from Redis again; what "  \
            "is not stored (slow) is lost."                                                        \
    }

#define CLOSED(code)                                                                               \
    {                                                                                              \
        "notify_connections_closed_total", COUNTER_GROWS, "code=\"" code "\"",                     \
            "WebSockets and streams of events that have ended, by the code that was said "         \
            "(docs/protocol.md); 1006: none was."                                                  \
    }

#define SLOW(cause)                                                                                \
    {                                                                                              \
        "notify_loop_slow_turns_total", COUNTER_GROWS, "cause=\"" cause "\"",                      \
            "Turns of the event loop that took longer than --slow-turn, by what took most of it."  \
    }

#define HELD(what)                                                                                 \
    {                                                                                              \
        "notify_memory_held_bytes", COUNTER_GAUGE, "what=\"" what "\"",                            \
            "Bytes of messages that are kept for clients: the newest of each key (recent), and "   \
            "what waits for Redis to be asked (stashed)."                                          \
    }

#define REACH(outcome)                                                                             \
    {                                                                                              \
        "notify_broadcast_deliveries_total", COUNTER_GROWS, "outcome=\"" outcome "\"",             \
            "What became of it at each connection just then (docs/log.md)."                        \
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
    [COUNTER_MESSAGE_BLOCKS] = LIMIT("compressed-blocks"),
    [COUNTER_MESSAGES_TOO_MANY] = LIMIT("message-rate"),
    [COUNTER_MESSAGES_TOO_DEEP] = LIMIT("json-depth"),
    [COUNTER_REQUESTS_TOO_MANY] = LIMIT("request-rate"),
    [COUNTER_SUBSCRIPTIONS_REFUSED] = LIMIT("max-subscriptions"),
    [COUNTER_CHANNEL_MESSAGES_TOO_BIG] = LIMIT("max-channel-message"),
    [COUNTER_CHANNEL_PATTERNS] = LIMIT("max-channel-patterns"),
    [COUNTER_IDLE] = LIMIT("ws-connection-timeout"),
    [COUNTER_SSE_INPUT] = LIMIT("sse-input-bytes"),
    [COUNTER_SOCKETIO_SILENT] = LIMIT("socketio-ping-timeout"),
    [COUNTER_SOCKETIO_CONNECT_TIMEOUT] = LIMIT("socketio-connect-timeout"),
    [COUNTER_SOCKETIO_ATTACHMENTS] = LIMIT("socketio-attachments"),
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
    [COUNTER_AHEAD_DROPPED] = LIMIT("read-ahead-bytes"),
    [COUNTER_EVENTS_LOST_VOLATILE] =
        {"notify_events_lost_total", COUNTER_GROWS, "",
         "Events that are not stored and that a client did not get, as it or the bridge was too "
         "slow."},
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
    [COUNTER_STATES_REFUSED] = {"notify_states_refused_total", COUNTER_GROWS, "",
                                "Clients of Socket.IO whose state between two polls was none."},
    [COUNTER_AUTH_TIMEOUT] = LIMIT("auth-timeout"),
    [COUNTER_KEYS_AWAITED] = LIMIT("keys-awaited"),
    [COUNTER_CATEGORIES] = LIMIT("categories-per-client"),
    [COUNTER_LOGS] = LIMIT("logs-per-user"),
    [COUNTER_LOGS_REFUSED] =
        {"notify_logs_refused_total", COUNTER_GROWS, "",
         "How often Redis did not let an inbox follow the logs of its user: they are delivered, "
         "but not counted."},
    [COUNTER_IDEMPOTENCY_KEYS] = LIMIT("idempotency-keys"),
    [COUNTER_SENTINELS] = LIMIT("sentinels"),
    [COUNTER_CLUSTER_NODES] = LIMIT("cluster-nodes"),
    [COUNTER_REDIRECTIONS] = LIMIT("cluster-redirections"),
    [COUNTER_AGENT_REQUESTS] = LIMIT("max-agent-requests"),
    [COUNTER_AGENT_REQUESTS_OF_CLIENT] = LIMIT("max-agent-requests-per-client"),
    [COUNTER_AGENT_REQUESTS_OF_USER] = LIMIT("max-agent-requests-per-user"),
    [COUNTER_AGENT_ANSWERS] = LIMIT("max-agent-answer-bytes"),
    [COUNTER_AGENT_TIMEOUT] = LIMIT("agent-timeout"),
    [COUNTER_AGENT_ASKED] = {"notify_agent_requests_total", COUNTER_GROWS, "",
                             "Requests to an agent that were put into its stream."},
    [COUNTER_POLL_INPUT] = LIMIT("poll-input"),
    [COUNTER_POLL_STATE] = LIMIT("poll-state-bytes"),
    [COUNTER_RECOVERY_STATE] = LIMIT("recovery-state-bytes"),
    [COUNTER_SESSION_JOURNAL] = LIMIT("session-journal"),
    [COUNTER_POLLS_KEPT] = LIMIT("polls-kept"),
    [COUNTER_OPERATORS] = LIMIT("metrics-connections"),
    [COUNTER_POLLS_FAILED] = {"notify_poll_errors_total", COUNTER_GROWS, "",
                              "Commands about polled Socket.IO sessions that Redis refused."},
    [COUNTER_AGENT_WAITING] = {"notify_agent_requests_waiting", COUNTER_GAUGE, "",
                               "Requests that wait for an agent."},
    [COUNTER_CONNECTIONS] = {"notify_connections", COUNTER_GAUGE, "transport=\"websocket\"",
                             "Open connections of clients."},
    [COUNTER_STREAMS] = {"notify_connections", COUNTER_GAUGE, "transport=\"sse\"",
                         "Open connections of clients."},
    [COUNTER_POLLED] = {"notify_connections", COUNTER_GAUGE, "transport=\"polling\"",
                        "Open connections of clients."},
    [COUNTER_SOCKETS_MAX] = {"notify_sockets_max", COUNTER_GAUGE, "",
                             "How many sockets of clients there may be."},
    [COUNTER_SOCKETS] = {"notify_sockets", COUNTER_GAUGE, "",
                         "Open sockets of clients, whatever they carry."},
    [COUNTER_SUBSCRIPTIONS] = {"notify_subscriptions", COUNTER_GAUGE, "",
                               "Keys that clients follow, counted for each client."},
    [COUNTER_CLIENTS_NOTIFY] = CLIENTS("notify"),
    [COUNTER_CLIENTS_TOPIC] = CLIENTS("topic"),
    [COUNTER_CLIENTS_SESSION] = CLIENTS("session"),
    [COUNTER_CLIENTS_EVENTS] = CLIENTS("events"),
    [COUNTER_CLIENTS_CHAT] = CLIENTS("chat"),
    [COUNTER_CLIENTS_SOCKETIO] = CLIENTS("socketio"),
    [COUNTER_CHANNELS] = {"notify_channels", COUNTER_GAUGE, "",
                          "Channels of Redis that are subscribed, or are about to be."},
    [COUNTER_CHANNELS_LINGERING] = {"notify_channels_lingering", COUNTER_GAUGE, "",
                                    "Channels among them that nobody follows any more."},
    [COUNTER_READ_AHEAD] = {"notify_read_ahead_bytes", COUNTER_GAUGE, "",
                            "Held of what Redis has published and clients have not been sent."},
    [COUNTER_COMMANDS_IN_LINE] = {"notify_commands_in_line", COUNTER_GAUGE, "",
                                  "Commands to Redis for clients that stand in line."},
    [COUNTER_SUBSCRIBER_UP] = {"notify_redis_link_up", COUNTER_GAUGE, "link=\"subscriber\"",
                               "Whether a link to Redis is up."},
    [COUNTER_COMMANDS_UP] = {"notify_redis_link_up", COUNTER_GAUGE, "link=\"commands\"",
                             "Whether a link to Redis is up."},
    [COUNTER_READY] = {"notify_ready", COUNTER_GAUGE, "",
                       "Whether clients can be served: of how many workers, in the sum."},
    [COUNTER_LEAVING] = {"notify_leaving", COUNTER_GAUGE, "",
                         "Whether the process is about to end: of how many workers, in the sum."},
    [COUNTER_MODULE_UP] = {"notify_module_up", COUNTER_GAUGE, "",
                           "Whether Redis has the module, and lets the bridge use it."},
    [COUNTER_TOKENS_UP] = {"notify_tokens_up", COUNTER_GAUGE, "",
                           "Whether tokens can be judged: there are keys."},
    [COUNTER_MEMORY_RESIDENT] = {"notify_memory_resident_bytes", COUNTER_GAUGE, "",
                                 "Memory of the process that is in RAM; pages that workers share "
                                 "count for each."},
    [COUNTER_MEMORY_RECENT] = HELD("recent"),
    [COUNTER_MEMORY_STASHED] = HELD("stashed"),
    [COUNTER_WORKERS] = {"notify_workers", COUNTER_SAME, "",
                         "Processes that serve clients, or should (--workers)."},
    [COUNTER_BUILD] = {"notify_build_info", COUNTER_SAME, "version=\"" NOTIFY_VERSION "\"",
                       "Always 1: which version this is."},
    [COUNTER_CPU_US] = {"notify_cpu_seconds_total", COUNTER_GROWS_US, "",
                        "CPU time of the processes that serve clients."},
    [COUNTER_BYTES_RECEIVED] = {"notify_received_bytes_total", COUNTER_GROWS, "",
                                "Bytes from clients, as they stand in the stream (TLS taken off)."},
    [COUNTER_BYTES_SENT] = {"notify_sent_bytes_total", COUNTER_GROWS, "",
                            "Bytes to clients that were handed to the kernel, or to TLS."},
    [COUNTER_ANSWERS_SENT] = {"notify_answers_sent_total", COUNTER_GROWS, "",
                              "Messages to clients that are no events: answers, notices."},
    [COUNTER_REFILLS] = {"notify_refills_total", COUNTER_GROWS, "",
                         "How often a client that had fallen behind with a key was up to date "
                         "again, by reading from Redis."},
    [COUNTER_NOTIFICATIONS_HEARD] =
        {"notify_notifications_heard_total", COUNTER_GROWS, "",
         "Notifications that Redis published and that came to this bridge, one for each process "
         "that has followers of the key."},
    [COUNTER_DROPPED_BEHIND] = DROPPED("behind"),
    [COUNTER_DROPPED_SLOW] = DROPPED("slow"),
    [COUNTER_DROPPED_AHEAD] = DROPPED("ahead"),
    [COUNTER_DROPPED_TOO_BIG] = DROPPED("too_big"),
    [COUNTER_DROPPED_FOREIGN] = DROPPED("foreign"),
    [COUNTER_CLOSED_NORMAL] = CLOSED("1000"),
    [COUNTER_CLOSED_GOING_AWAY] = CLOSED("1001"),
    [COUNTER_CLOSED_ABNORMAL] = CLOSED("1006"),
    [COUNTER_CLOSED_POLICY] = CLOSED("1008"),
    [COUNTER_CLOSED_TOO_BIG] = CLOSED("1009"),
    [COUNTER_CLOSED_INTERNAL] = CLOSED("1011"),
    [COUNTER_CLOSED_RESTART] = CLOSED("1012"),
    [COUNTER_CLOSED_TRY_AGAIN] = CLOSED("1013"),
    [COUNTER_CLOSED_ABUSE] = CLOSED("4400"),
    [COUNTER_CLOSED_UNAUTHORIZED] = CLOSED("4401"),
    [COUNTER_CLOSED_FORBIDDEN] = CLOSED("4403"),
    [COUNTER_CLOSED_IDLE] = CLOSED("4408"),
    [COUNTER_CLOSED_TOO_MANY] = CLOSED("4409"),
    [COUNTER_CLOSED_KICKED] = CLOSED("4410"),
    [COUNTER_CLOSED_TOO_SLOW] = CLOSED("4413"),
    [COUNTER_CLOSED_RATE_LIMITED] = CLOSED("4429"),
    [COUNTER_CLOSED_OTHERWISE] = CLOSED("other"),
    [COUNTER_SLOW_ACCEPT] = SLOW("accept"),
    [COUNTER_SLOW_CLIENTS] = SLOW("clients"),
    [COUNTER_SLOW_REDIS] = SLOW("redis"),
    [COUNTER_SLOW_DELIVERY] = SLOW("delivery"),
    [COUNTER_SLOW_FILES] = SLOW("files"),
    [COUNTER_SLOW_TIMER] = SLOW("timer"),
    [COUNTER_SLOW_DEFERRED] = SLOW("deferred"),
    [COUNTER_SLOW_SIGNAL] = SLOW("signal"),
    [COUNTER_SLOW_OFF_CPU] = SLOW("off_cpu"),
    [COUNTER_SLOW_LINES_KEPT_BACK] =
        {"notify_slow_turn_lines_kept_back_total", COUNTER_GROWS, "",
         "Lines about slow turns that were not written to the log, as there were too many."},
    [COUNTER_WORKER_RESTARTS] = {"notify_restarts_total", COUNTER_GROWS, "",
                                 "Workers that ended and were started again (--workers)."},
    [COUNTER_SESSIONS_DROPPED] =
        {"notify_session_sets_dropped_total", COUNTER_GROWS, "",
         "Session sets that were freed of what a worker that died had left in them."},
    [COUNTER_MESSAGES_RECEIVED] = {"notify_messages_received_total", COUNTER_GROWS, "",
                                   "Messages of clients over WebSocket."},
    [COUNTER_EVENTS_DELIVERED] =
        {"notify_events_delivered_total", COUNTER_GROWS, "",
         "Events that connections have taken, for each once; what was dropped from the queue of a "
         "slow one counts when it is sent anew."},
    [COUNTER_BROADCASTS_HEARD] = BROADCASTS("some"),
    [COUNTER_BROADCASTS_UNHEARD] = BROADCASTS("none"),
    [COUNTER_DELIVERY_LINES_KEPT_BACK] =
        {"notify_delivery_lines_kept_back_total", COUNTER_GROWS, "",
         "Lines about broadcasts that were not written to the log: too many, or nobody read it."},
    [COUNTER_REACH_DELIVERED] = REACH("delivered"),
    [COUNTER_REACH_WAITING] = REACH("waiting"),
    [COUNTER_REACH_LATER] = REACH("later"),
    [COUNTER_REACH_ENDED] = REACH("connection_ended"),
    [COUNTER_REACH_TOO_SLOW] = REACH("too_slow"),
    [COUNTER_REACH_NO_MEMORY] = REACH("out_of_memory"),
    [COUNTER_MARKED_SEEN] = MARKED("seen"),
    [COUNTER_MARKED_READ] = MARKED("read"),
    [COUNTER_DEFLATE_TAKEN] = DEFLATE_OFFERS("taken"),
    [COUNTER_DEFLATE_DECLINED] = DEFLATE_OFFERS("declined"),
    [COUNTER_DEFLATED] = COMPRESSED("out"),
    [COUNTER_INFLATED] = COMPRESSED("in"),
    [COUNTER_DEFLATED_PLAIN_BYTES] = COMPRESSED_BYTES("out", "plain"),
    [COUNTER_DEFLATED_BYTES] = COMPRESSED_BYTES("out", "compressed"),
    [COUNTER_INFLATED_PLAIN_BYTES] = COMPRESSED_BYTES("in", "plain"),
    [COUNTER_INFLATED_BYTES] = COMPRESSED_BYTES("in", "compressed"),
    [COUNTER_TLS_WITHOUT_CERTIFICATE] = HANDSHAKES("none"),
    [COUNTER_TLS_WITH_CERTIFICATE] = HANDSHAKES("good"),
    [COUNTER_TLS_REFUSED_CERTIFICATE] = TLS_REFUSED("certificate"),
    [COUNTER_TLS_REFUSED_VERSION] = TLS_REFUSED("version"),
    [COUNTER_TLS_REFUSED_CIPHER] = TLS_REFUSED("cipher"),
    [COUNTER_TLS_REFUSED_OTHER] = TLS_REFUSED("other"),
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

int counters_share(unsigned count)
{
    uint64_t *values = mmap(NULL, (size_t)count * ROW_VALUES * sizeof(uint64_t),
                            PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (values == MAP_FAILED)
        return -ENOMEM;
    rows.values = values;
    rows.len = count;
    return 0;
}

uint64_t *counters_row(unsigned row)
{
    return rows.values + (size_t)row * ROW_VALUES;
}

void counters_take_row(unsigned row)
{
    counter_values = counters_row(row);
}

void counters_clear_gauges(unsigned row)
{
    for (size_t i = 0; i < COUNTERS; i++)
        if (counter_infos[i].kind == COUNTER_GAUGE)
            counters_row(row)[i] = 0;
    counters_row(row)[BEAT] = 0;
}

void counters_beat(uint64_t now_ms)
{
    counter_values[BEAT] = now_ms;
}

uint64_t counters_beat_of(unsigned row)
{
    return __atomic_load_n(&counters_row(row)[BEAT], __ATOMIC_RELAXED);
}

unsigned counters_rows(void)
{
    return rows.len;
}

/* Each is written by one process alone, as a whole: an old value is as good as the new one. */
static uint64_t value_of(unsigned row, enum counter counter)
{
    return __atomic_load_n(&counters_row(row)[counter], __ATOMIC_RELAXED);
}

uint64_t counter_total(enum counter counter)
{
    uint64_t total = 0;

    for (unsigned row = 0; row < rows.len; row++)
        total += value_of(row, counter);
    return total;
}

bool counter_is_set_in_all(enum counter counter)
{
    for (unsigned row = 0; row < rows.len; row++)
        if (value_of(row, counter) == 0)
            return false;
    return true;
}
