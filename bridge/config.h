/* config -- what has been set, as the table in options.c allows. Read by config_read.c. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All owned; NULL-terminated unless empty, when items may be NULL. */
struct string_list {
    char **items;
    size_t len;
};

struct config {
    struct string_list listen, metrics_listen, admin_listen;
    uint64_t workers, worker_timeout_ms, takeover_timeout_ms;
    char *redis;
    char *redis_tls_ca, *redis_tls_cert, *redis_tls_key, *redis_tls_name;
    uint64_t redis_tls_least; /* enum tls_version */
    uint64_t redis_mode;      /* enum topology_mode */
    uint64_t subscriber_links, cluster_subscriber_links;
    uint64_t redis_subscribe; /* enum config_subscribe */
    char *sentinel_master, *sentinel_user, *sentinel_password;
    uint64_t sentinel_tls; /* enum topology_sentinel_tls */
    uint64_t auth;
    bool dev;
    bool docs;
    char *config_file;
    uint64_t slow_turn_ms;
    uint64_t log_level, log_format;           /* enum log_level, enum log_format */
    uint64_t delivery_log, delivery_log_rate; /* enum config_delivery_log */
    char *inbox_key, *topic_key, *session_key;
    char *user_sessions_key, *session_users_key, *presence_key;
    uint64_t session_lease_ms, max_connections_per_session, max_sessions_per_user;
    struct string_list broadcast_logs, channels, cors_origins, host_names, exempt_addresses;
    uint64_t heartbeat_ms, sse_heartbeat_ms, idle_timeout_ms, slow_timeout_ms, linger_ms;
    struct string_list socketio_namespaces;
    uint64_t socketio_ping_interval_ms, socketio_ping_timeout_ms, socketio_connect_timeout_ms,
        socketio_recovery_ms;
    bool socketio_recovery;
    uint64_t drain_delay_ms, restart_spread_ms, shutdown_timeout_ms, status_interval_ms,
        statistics_interval_ms;
    bool compress;
    uint64_t compress_min_bytes;
    uint64_t max_connections, max_message_bytes, max_control_frames, max_subscriptions,
        outbox_bytes;
    uint64_t max_connections_per_address, connect_rate, connect_burst, max_addresses;
    uint64_t message_rate, message_burst, request_rate, request_burst;
    uint64_t recent_events, recent_bytes, read_ahead_bytes, channel_message_bytes,
        max_channel_patterns, max_lingering, max_lingering_per_client;
    char *agent_stream;
    uint64_t agent_stream_max, agent_timeout_ms, agent_grace_ms, max_agent_requests,
        max_agent_requests_per_client, max_agent_requests_per_user, max_agent_answer_bytes;
    struct string_list
        unknown; /* variables that begin as ours and are none: spelt wrong, perhaps */
    char *tls_cert, *tls_key, *tls_client_ca, *tls_ciphers, *tls_ciphersuites;
    uint64_t tls_least, tls_client_auth; /* enum tls_version, enum server_tls_clients */
    char *proxy_header, *top;
    struct string_list trusted_proxies;
    struct string_list jwt_secrets, jwt_audiences;
    char *jwt_key, *jwt_jwks, *jwt_jwks_ca, *jwt_issuer, *jwt_cookie, *roles_file, *anonymous_role;
    uint64_t jwt_max_stale_ms, jwt_leeway_ms, max_token_bytes, auth_timeout_ms;
    bool insecure_no_auth;
    bool check_config, version, help, help_markdown, metrics_markdown;
    char *probe;
    uint64_t help_as; /* enum option_page */
    /* What it was read from, borrowed: for config_reload(). */
    int argc;
    char *const *argv, *const *envp;
};

enum config_delivery_log {
    CONFIG_DELIVERY_LOG_INFO,
    CONFIG_DELIVERY_LOG_DEBUG,
    CONFIG_DELIVERY_LOG_OFF,
};

/* At whom messages are heard. */
enum config_subscribe { CONFIG_SUBSCRIBE_PRIMARY, CONFIG_SUBSCRIBE_REPLICAS };

enum config_auth { CONFIG_AUTH_UNSET, CONFIG_AUTH_NONE, CONFIG_AUTH_JWT };

#endif
