#include "options.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/number.h"
#include "clients/credentials.h"
#include "config.h"
#include "identity/key_names.h"
#include "identity/origins.h"
#include "identity/plain_channels.h"
#include "identity/roles.h"
#include "net/http_fetch.h"
#include "net/listener.h"
#include "net/peer_address.h"
#include "notify_wire.h"
#include "redis/redis_address.h"

/* An empty one empties the list. */
static const char *check_optional_key(const char *key)
{
    return strlen(key) <= NOTIFY_KEY_MAX ? NULL
                                         : "a key has at most " TEXT_OF(NOTIFY_KEY_MAX) " bytes";
}

/* An empty one is none. */
static const char *check_optional_pattern(const char *pattern)
{
    return pattern[0] == '\0' ? NULL : key_pattern_check(pattern);
}

static const char *check_origin(const char *origin)
{
    return origin_is_valid(origin) ? NULL : "must be like https://app.example.com, null or *";
}

static const char *check_host_name(const char *name)
{
    return host_name_is_valid(name) ? NULL
                                    : "must be names like notify.example.com, without a port";
}

static const char *check_network(const char *network)
{
    struct peer_network parsed;

    return peer_network_parse(notify_str_z(network), &parsed)
               ? NULL
               : "must be addresses, networks such as 10.0.0.0/8, or unix";
}

static const char *check_field_name(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return name[0] != '\0' && strspn(name, letters) == strlen(name)
               ? NULL
               : "must be the name of a header";
}

/* A path, or an address that keys may come from. */
static const char *check_jwks(const char *value)
{
    return http_fetch_is_url(value) ? http_fetch_check(value) : NULL;
}

static const char *check_role(const char *role)
{
    return role[0] != '\0' && strlen(role) <= ROLE_NAME_MAX && strpbrk(role, " \t#*") == NULL
               ? NULL
               : "must be the name of a role";
}

static const char *const auth_choices[] = {"", "none", "jwt", NULL};
static const char *const level_choices[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_choices[] = {"logfmt", "json", NULL};

#define AT(member) offsetof(struct config, member)
#define HOUR_MS UINT64_C(3600000)
#define MIB UINT64_C(1048576)

const struct option options[] = {
    {.name = "listen",
     .type = OPTION_LIST,
     .at = AT(listen),
     .def = "127.0.0.1:8080",
     .check = listener_check,
     .metavar = "ADDRESS",
     .help =
         "Where clients connect: host:port or unix:/path. May be given several times. With ,tls "
         "behind it clients speak TLS there (see --tls-cert); with ,proxy each connection must "
         "begin with the header of the PROXY protocol, version 1 or 2."},
    {.name = "tls-cert",
     .type = OPTION_TEXT,
     .at = AT(tls_cert),
     .metavar = "FILE",
     .help = "The certificate for addresses with ,tls, in PEM, with those that vouch for it behind "
             "it."},
    {.name = "tls-key",
     .type = OPTION_TEXT,
     .at = AT(tls_key),
     .metavar = "FILE",
     .help = "Its private key, in PEM."},
    {.name = "trusted-proxies",
     .type = OPTION_ITEMS,
     .at = AT(trusted_proxies),
     .check = check_network,
     .metavar = "NETWORKS",
     .help = "Proxies whose --proxy-header is believed: addresses, networks such as 10.0.0.0/8, or "
             "unix, with commas between them."},
    {.name = "proxy-header",
     .type = OPTION_TEXT,
     .at = AT(proxy_header),
     .def = "X-Forwarded-For",
     .check = check_field_name,
     .metavar = "NAME",
     .help = "The one header in which trusted proxies say whom they speak for; it is read from the "
             "right, past those that are trusted."},
    {.name = "redis",
     .type = OPTION_TEXT,
     .at = AT(redis),
     .def = "redis://127.0.0.1:6379",
     .check = redis_address_check,
     .alias = "REDIS_URL",
     .metavar = "URL",
     .help = "redis://[user:password@]host[:port][/db] or unix:///path[?db=n]."},
    {.name = "auth",
     .type = OPTION_CHOICE,
     .at = AT(auth),
     .choices = auth_choices,
     .metavar = "MODE",
     .help = "Who clients are. jwt: whom a signed token names, see docs/identity.md. none: "
             "whoever they say, for development. Must be given."},
    {.name = "insecure-no-auth",
     .type = OPTION_FLAG,
     .at = AT(insecure_no_auth),
     .help = "Lets --auth none listen where other machines can connect: whoever reaches it reads "
             "everybody's notifications."},
    {.name = "jwt-secret",
     .type = OPTION_LIST,
     .at = AT(jwt_secrets),
     .alias = "SECRET_KEY",
     .metavar = "SECRET",
     .help = "What HS256, HS384 and HS512 tokens are signed with: its bytes as they are. May be "
             "given several times, for the time of a change. Everybody on the machine sees the "
             "arguments of a program: better a variable or the file of --config."},
    {.name = "jwt-key",
     .type = OPTION_TEXT,
     .at = AT(jwt_key),
     .metavar = "FILE",
     .help =
         "Public keys or certificates in PEM, or a JWK set, for tokens that are signed with the "
         "private ones (RS, PS, ES). Read again when it changes."},
    {.name = "jwt-jwks",
     .type = OPTION_TEXT,
     .at = AT(jwt_jwks),
     .check = check_jwks,
     .metavar = "URL",
     .help =
         "Where a JWK set is fetched from (https, or http on this machine), or a file with one. "
         "Fetched again when it says so, and when a token names a key that is not in it."},
    {.name = "jwt-jwks-ca",
     .type = OPTION_TEXT,
     .at = AT(jwt_jwks_ca),
     .metavar = "FILE",
     .help = "Certificates, in PEM, that may vouch for that address instead of the system's."},
    {.name = "jwt-jwks-max-stale",
     .type = OPTION_TIME,
     .at = AT(jwt_max_stale_ms),
     .def = "24h",
     .min = 1000,
     .max = 8760 * HOUR_MS,
     .metavar = "TIME",
     .help = "After so long without a good answer of that address its keys are given up."},
    {.name = "jwt-audience",
     .type = OPTION_ITEMS,
     .at = AT(jwt_audiences),
     .metavar = "NAME",
     .help = "A token must be for one of these (aud). May be given several times, or with commas."},
    {.name = "jwt-issuer",
     .type = OPTION_TEXT,
     .at = AT(jwt_issuer),
     .metavar = "NAME",
     .help = "A token must be from this one (iss)."},
    {.name = "jwt-leeway",
     .type = OPTION_TIME,
     .at = AT(jwt_leeway_ms),
     .def = "30s",
     .min = 0,
     .max = HOUR_MS / 12,
     .metavar = "TIME",
     .help = "By how much the clock that a token was made by may differ from ours."},
    {.name = "jwt-cookie",
     .type = OPTION_TEXT,
     .at = AT(jwt_cookie),
     .check = check_field_name,
     .metavar = "NAME",
     .help = "A cookie that may hold the token; it counts for pages (Origin, Sec-Fetch-Site) that "
             "may connect, and when there is no token elsewhere."},
    {.name = "max-token-bytes",
     .type = OPTION_BYTES,
     .at = AT(max_token_bytes),
     .def = "8K",
     .min = 256,
     .max = CREDENTIALS_MAX,
     .metavar = "BYTES",
     .help = "A longer token is no good."},
    {.name = "auth-timeout",
     .type = OPTION_TIME,
     .at = AT(auth_timeout_ms),
     .def = "5s",
     .min = 100,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long a connection without a token has for the message that brings one (4401)."},
    {.name = "roles",
     .type = OPTION_TEXT,
     .at = AT(roles_file),
     .metavar = "FILE",
     .help = "What roles may do, see docs/identity.md. Read again when it changes."},
    {.name = "anonymous-role",
     .type = OPTION_TEXT,
     .at = AT(anonymous_role),
     .check = check_role,
     .metavar = "ROLE",
     .help = "Lets in who brings no token, with what this role may do, and without an inbox."},
    {.name = "dev",
     .type = OPTION_FLAG,
     .at = AT(dev),
     .help = "Development mode: serves the test page /test-ws, and lets pages from this machine "
             "connect whatever their port."},
    {.name = "cors-origins",
     .type = OPTION_ITEMS,
     .check = check_origin,
     .at = AT(cors_origins),
     .alias = "CORS_ORIGINS",
     .metavar = "ORIGIN",
     .help = "Web pages that may connect besides those of the bridge's own address, such as "
             "https://app.example.com; null for files, * for all. May be given several times, or "
             "with commas."},
    {.name = "host-names",
     .type = OPTION_ITEMS,
     .check = check_host_name,
     .at = AT(host_names),
     .metavar = "NAME",
     .help = "Names by which a proxy in front calls a bridge that listens on this machine alone, "
             "besides localhost: others are refused (DNS rebinding). May be given several times, "
             "or with commas."},
    {.name = "config",
     .type = OPTION_TEXT,
     .at = AT(config_file),
     .metavar = "FILE",
     .help = "Reads options from FILE, one \"name value\" per line; # begins a comment."},
    {.name = "check-config",
     .type = OPTION_FLAG,
     .at = AT(check_config),
     .help = "Checks the configuration and exits: 0 or 2."},
    {.name = "log-level",
     .type = OPTION_CHOICE,
     .at = AT(log_level),
     .def = "info",
     .choices = level_choices,
     .metavar = "LEVEL",
     .help = "error, warn, info or debug."},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .at = AT(log_format),
     .def = "logfmt",
     .choices = format_choices,
     .metavar = "FORMAT",
     .help = "logfmt or json."},
    {.name = "inbox-key",
     .type = OPTION_TEXT,
     .at = AT(inbox_key),
     .def = "inbox:%s",
     .check = key_pattern_check,
     .metavar = "PATTERN",
     .help = "Key of a user's inbox; %s is the user's id."},
    {.name = "topic-key",
     .type = OPTION_TEXT,
     .at = AT(topic_key),
     .def = "topic:%s",
     .check = key_pattern_check,
     .metavar = "PATTERN",
     .help = "Key of a topic."},
    {.name = "session-key",
     .type = OPTION_TEXT,
     .at = AT(session_key),
     .def = "session:%s",
     .check = key_pattern_check,
     .metavar = "PATTERN",
     .help = "Key of a session's log."},
    {.name = "user-sessions-key",
     .type = OPTION_TEXT,
     .at = AT(user_sessions_key),
     .def = "sessions:%s",
     .check = key_pattern_check,
     .metavar = "PATTERN",
     .help = "Key of the session set of a user."},
    {.name = "session-users-key",
     .type = OPTION_TEXT,
     .at = AT(session_users_key),
     .def = "ws:session:%s",
     .check = check_optional_pattern,
     .metavar = "PATTERN",
     .help =
         "Key of the session set that says whose a session is, for those who know its id alone; "
         "empty for none."},
    {.name = "presence-key",
     .type = OPTION_TEXT,
     .at = AT(presence_key),
     .def = "presence:%s",
     .check = key_pattern_check,
     .metavar = "PATTERN",
     .help = "Key of the session set of those who are present in a topic."},
    {.name = "session-lease",
     .type = OPTION_TIME,
     .at = AT(session_lease_ms),
     .def = "60s",
     .min = 0,
     .max = 24 * HOUR_MS,
     .metavar = "TIME",
     .help =
         "After so long without this bridge Redis forgets its connections; they are renewed three "
         "times in that. 0: no sessions, no limits on them, no presence."},
    {.name = "broadcast-log",
     .type = OPTION_LIST,
     .at = AT(broadcast_logs),
     .def = "topic:all",
     .check = check_optional_key,
     .metavar = "KEY",
     .help = "Key that every client follows. May be given several times; empty for none."},
    {.name = "ws-heartbeat-interval",
     .type = OPTION_TIME,
     .at = AT(heartbeat_ms),
     .def = "30s",
     .min = 100,
     .max = HOUR_MS,
     .alias = "WS_HEARTBEAT_INTERVAL",
     .metavar = "TIME",
     .help = "How often a client is pinged; after two intervals without a word it is gone."},
    {.name = "ws-connection-timeout",
     .type = OPTION_TIME,
     .at = AT(idle_timeout_ms),
     .def = "5m",
     .min = 100,
     .max = 24 * HOUR_MS,
     .alias = "WS_CONNECTION_TIMEOUT",
     .metavar = "TIME",
     .help = "A connection without any frame for so long is closed (4408)."},
    {.name = "sse-heartbeat-interval",
     .type = OPTION_TIME,
     .at = AT(sse_heartbeat_ms),
     .def = "15s",
     .min = 100,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How often something is written to a stream of events, so that proxies keep it."},
    {.name = "max-connections",
     .type = OPTION_NUMBER,
     .at = AT(max_connections),
     .def = "1000000",
     .min = 1,
     .max = 10000000,
     .metavar = "N",
     .help = "WebSocket connections at a time; more are refused with 503. The limit on open files "
             "counts, too."},
    {.name = "max-connections-per-address",
     .type = OPTION_NUMBER,
     .at = AT(max_connections_per_address),
     .def = "1000",
     .min = 0,
     .max = 10000000,
     .metavar = "N",
     .help = "Connections of one address of clients (of an IPv6 /64) at a time; more are closed "
             "(4409), and refused with 429 behind a trusted proxy. 0: no limit."},
    {.name = "max-connections-per-session",
     .type = OPTION_NUMBER,
     .at = AT(max_connections_per_session),
     .def = "5",
     .min = 0,
     .max = 10000,
     .alias = "WS_MAX_CONNECTIONS_PER_SESSION",
     .metavar = "N",
     .help =
         "Connections of one session (of a user's client id), over all bridges; more are closed "
         "(4409). 0: no limit but that of the set."},
    {.name = "max-sessions-per-user",
     .type = OPTION_NUMBER,
     .at = AT(max_sessions_per_user),
     .def = "100",
     .min = 0,
     .max = 10000,
     .metavar = "N",
     .help =
         "Sessions of one user, over all bridges; more are closed (4409). 0: no limit but that of "
         "the set."},
    {.name = "connect-rate",
     .type = OPTION_NUMBER,
     .at = AT(connect_rate),
     .def = "50",
     .min = 0,
     .max = 1000000,
     .metavar = "N",
     .help = "How often one address may connect in a second, for long; behind a trusted proxy each "
             "request counts. Others are closed, or refused with 429. 0: no limit."},
    {.name = "connect-burst",
     .type = OPTION_NUMBER,
     .at = AT(connect_burst),
     .def = "500",
     .min = 1,
     .max = 1000000,
     .metavar = "N",
     .help = "How often it may do so at once, after a rest."},
    {.name = "exempt-addresses",
     .type = OPTION_ITEMS,
     .at = AT(exempt_addresses),
     .def = "127.0.0.0/8,::1,unix",
     .check = check_network,
     .metavar = "NETWORKS",
     .help = "Addresses that are not counted for --max-connections-per-address and --connect-rate, "
             "besides trusted proxies: addresses and networks, with commas between them."},
    {.name = "max-addresses",
     .type = OPTION_NUMBER,
     .at = AT(max_addresses),
     .def = "65536",
     .min = 16,
     .max = 10000000,
     .metavar = "N",
     .help = "Addresses without a connection that are remembered for --connect-rate; at more the "
             "one that has been without for longest is forgotten."},
    {.name = "message-rate",
     .type = OPTION_NUMBER,
     .at = AT(message_rate),
     .def = "20",
     .min = 0,
     .max = 1000000,
     .metavar = "N",
     .help = "Messages that one connection may send in a second, for long. Others are answered by "
             "RATE_LIMITED and not done; who sends 20 more in ten seconds without waiting is "
             "closed (4429). 0: no limit."},
    {.name = "message-burst",
     .type = OPTION_NUMBER,
     .at = AT(message_burst),
     .def = "40",
     .min = 1,
     .max = 1000000,
     .metavar = "N",
     .help = "Messages that it may send at once, after a rest."},
    {.name = "request-rate",
     .type = OPTION_NUMBER,
     .at = AT(request_rate),
     .def = "50",
     .min = 0,
     .max = 1000000,
     .metavar = "N",
     .help =
         "Requests of the HTTP interface that one user may make in a second, for long, whatever "
         "connections they come by; others are answered by 429. 0: no limit."},
    {.name = "request-burst",
     .type = OPTION_NUMBER,
     .at = AT(request_burst),
     .def = "200",
     .min = 1,
     .max = 1000000,
     .metavar = "N",
     .help = "Those that he may make at once, after a rest."},
    {.name = "max-message-bytes",
     .type = OPTION_BYTES,
     .at = AT(max_message_bytes),
     .def = "64K",
     .min = 256,
     .max = 16 * MIB,
     .metavar = "BYTES",
     .help = "A larger message of a client closes its connection (1009)."},
    {.name = "max-control-frames",
     .type = OPTION_NUMBER,
     .at = AT(max_control_frames),
     .def = "1000",
     .min = 10,
     .max = 1000000,
     .metavar = "N",
     .help = "Pings, pongs and empty fragments that one connection may send in ten seconds; more "
             "close it (4400)."},
    {.name = "max-subscriptions",
     .type = OPTION_NUMBER,
     .at = AT(max_subscriptions),
     .def = "128",
     .min = 8,
     .max = 10000,
     .metavar = "N",
     .help = "Keys that one connection may follow."},
    {.name = "outbox-bytes",
     .type = OPTION_BYTES,
     .at = AT(outbox_bytes),
     .def = "1M",
     .min = 4096,
     .max = 1024 * MIB,
     .metavar = "BYTES",
     .help =
         "Held for one client: queued events and answers, and what its requests under way may "
         "be answered. Past it queued events are dropped, and the client is refilled from Redis "
         "once its socket drains; its requests wait."},
    {.name = "slow-client-timeout",
     .type = OPTION_TIME,
     .at = AT(slow_timeout_ms),
     .def = "60s",
     .min = 100,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long a client may leave 64 KiB of what waits for it in the socket, before it is "
             "closed (4413)."},
    {.name = "agent-stream",
     .type = OPTION_TEXT,
     .at = AT(agent_stream),
     .def = "agent:requests",
     .check = check_optional_key,
     .metavar = "KEY",
     .help = "Redis stream that clients' messages to an agent go into, see docs/agents.md; empty "
             "for none."},
    {.name = "agent-stream-max",
     .type = OPTION_NUMBER,
     .at = AT(agent_stream_max),
     .def = "10000",
     .min = 1,
     .max = 100000000,
     .metavar = "N",
     .help = "Entries that it keeps, about: older ones go, whether a worker has had them or not."},
    {.name = "agent-timeout",
     .type = OPTION_TIME,
     .at = AT(agent_timeout_ms),
     .def = "60s",
     .min = 100,
     .max = 24 * HOUR_MS,
     .metavar = "TIME",
     .help = "How long an agent may say nothing to who has asked it."},
    {.name = "agent-grace",
     .type = OPTION_TIME,
     .at = AT(agent_grace_ms),
     .def = "5s",
     .min = 0,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long the reader of an answer that comes piece by piece may be away before the "
             "agent is told that nobody waits for it any more."},
    {.name = "max-agent-requests",
     .type = OPTION_NUMBER,
     .at = AT(max_agent_requests),
     .def = "10000",
     .min = 1,
     .max = 1000000,
     .metavar = "N",
     .help = "Requests that wait for an agent at a time; others are answered by UNAVAILABLE."},
    {.name = "max-agent-requests-per-user",
     .type = OPTION_NUMBER,
     .at = AT(max_agent_requests_per_user),
     .def = "64",
     .min = 1,
     .max = 1000000,
     .metavar = "N",
     .help = "Those of one user over all of its connections, or of one address for those who bring "
             "no token; others are answered by TOO_MANY_REQUESTS."},
    {.name = "max-agent-requests-per-client",
     .type = OPTION_NUMBER,
     .at = AT(max_agent_requests_per_client),
     .def = "8",
     .min = 1,
     .max = 64,
     .metavar = "N",
     .help = "Those of one connection; others are answered by TOO_MANY_REQUESTS."},
    {.name = "max-agent-answer-bytes",
     .type = OPTION_BYTES,
     .at = AT(max_agent_answer_bytes),
     .def = "64K",
     .min = 256,
     .max = 16 * MIB,
     .metavar = "BYTES",
     .help = "What an agent may say in one event: what is longer is an error to who has asked. So "
             "much is set aside in --outbox-bytes for each of its requests."},
    {.name = "recent-events",
     .type = OPTION_NUMBER,
     .at = AT(recent_events),
     .def = "256",
     .min = 16,
     .max = 65536,
     .metavar = "N",
     .help = "Events kept per shared key, so that clients who come back need not ask Redis."},
    {.name = "recent-bytes",
     .type = OPTION_BYTES,
     .at = AT(recent_bytes),
     .def = "64M",
     .min = 0,
     .max = 1024 * 1024 * MIB,
     .metavar = "BYTES",
     .help = "The same for all keys together."},
    {.name = "channel-linger",
     .type = OPTION_TIME,
     .at = AT(linger_ms),
     .def = "10s",
     .min = 0,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long a key that nobody follows any more stays subscribed."},
    {.name = "max-lingering",
     .type = OPTION_NUMBER,
     .at = AT(max_lingering),
     .def = "65536",
     .min = 16,
     .max = 10000000,
     .metavar = "N",
     .help = "Keys that stay so at a time; at more the one that has stayed longest goes."},
    {.name = "max-lingering-per-client",
     .type = OPTION_NUMBER,
     .at = AT(max_lingering_per_client),
     .def = "128",
     .min = 0,
     .max = 10000,
     .metavar = "N",
     .help = "Those among them that one connection has left."},
    {.name = "restart-spread",
     .type = OPTION_TIME,
     .at = AT(restart_spread_ms),
     .def = "2s",
     .min = 0,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "On shutdown clients are told to come back after a random part of this."},
    {.name = "shutdown-timeout",
     .type = OPTION_TIME,
     .at = AT(shutdown_timeout_ms),
     .def = "5s",
     .min = 0,
     .max = HOUR_MS,
     .metavar = "TIME",
     .help = "How long closing handshakes may take on shutdown."},
    {.name = "channel",
     .type = OPTION_LIST,
     .at = AT(channels),
     .check = plain_channel_check,
     .metavar = "PATTERN",
     .help = "Channels that may be subscribed although they are no boxes: what is said there by "
             "PUBLISH is handed on, without ids. * stands for anything. May be given several "
             "times."},
    {.name = "max-channel-message",
     .type = OPTION_BYTES,
     .at = AT(channel_message_bytes),
     .def = "64K",
     .min = 1,
     .max = 16 * MIB,
     .metavar = "SIZE",
     .help = "Of a message on such a channel; a longer one is dropped."},
    {.name = "max-channel-patterns",
     .type = OPTION_NUMBER,
     .at = AT(max_channel_patterns),
     .def = "1000",
     .min = 0,
     .max = 65536,
     .metavar = "N",
     .help =
         "Patterns of such channels that clients of this bridge may follow, all together: Redis "
         "compares with each of them whatever is published, on any channel."},
    {.name = "status-interval",
     .type = OPTION_TIME,
     .at = AT(status_interval_ms),
     .def = "0",
     .min = 0,
     .max = 24 * HOUR_MS,
     .metavar = "TIME",
     .help = "How often system_status is said on the topic of that name, whichever bridge says it. "
             "0: never."},
    {.name = "version", .type = OPTION_FLAG, .at = AT(version), .help = "Prints the version."},
    {.name = "help", .type = OPTION_FLAG, .at = AT(help), .help = "Prints this."},
    {.name = "help-markdown",
     .type = OPTION_FLAG,
     .at = AT(help_markdown),
     .help = "Prints this as docs/options.md."},
};

const struct option *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

void option_environment_name(const struct option *o, char out[OPTION_ENVIRONMENT_NAME_MAX])
{
    int len = snprintf(out, OPTION_ENVIRONMENT_NAME_MAX, OPTION_ENVIRONMENT_PREFIX "%s", o->name);

    for (int i = 0; i < len; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

/* Printing. */

void options_print_help(FILE *out)
{
    fputs("Usage: notify-bridge --auth jwt|none [option …]\n\n"
          "Forwards notifications from Redis to WebSocket clients.\n\n",
          out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        fprintf(out, "  --%s%s%s\n        %s", o->name, o->metavar == NULL ? "" : " ",
                o->metavar == NULL ? "" : o->metavar, o->help);
        if (o->def != NULL)
            fprintf(out, " Default: %s.", o->def);
        fputs("\n", out);
    }
    fputs("\nEvery option can also be set in the environment (--outbox-bytes is "
          "NOTIFY_OUTBOX_BYTES)\n"
          "or in the file of --config. A flag beats the environment, which beats the file.\n"
          "A variable that begins with NOTIFY_ and is no option's is warned of.\n"
          "Times take ms, s, m or h (none: seconds), sizes K, M or G.\n"
          "Exit status: 0 clean, 1 runtime failure, 2 wrong usage or configuration.\n",
          out);
}

void options_print_markdown(FILE *out)
{
    char name[OPTION_ENVIRONMENT_NAME_MAX];

    fputs(
        "# Options of notify-bridge\n\n"
        "Generated from the table that the program runs on: `notify-bridge --help-markdown`.\n\n"
        "A flag beats the environment, which beats the file of `--config` (one `name value` per\n"
        "line, `#` begins a comment), which beats the default. Times take `ms`, `s`, `m` or `h`\n"
        "(none: seconds), sizes `K`, `M` or `G`. What is wrong is told with its place, "
        "`file:line:`\n"
        "or the variable; a variable that begins with `NOTIFY_` and is no option's is warned of.\n"
        "`--check-config` says the same and starts nothing. Exit status: 0 clean, 1 runtime "
        "failure,\n"
        "2 wrong usage or configuration.\n\n"
        "| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n",
        out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        option_environment_name(o, name);
        fprintf(out, "| `--%s%s%s` | `%s`", o->name, o->metavar == NULL ? "" : " ",
                o->metavar == NULL ? "" : o->metavar, name);
        if (o->alias != NULL)
            fprintf(out, ", `%s`", o->alias);
        fprintf(out, " | %s%s%s | %s |\n", o->def == NULL ? "" : "`", o->def == NULL ? "" : o->def,
                o->def == NULL ? "" : "`", o->help);
    }
}
