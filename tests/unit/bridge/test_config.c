/* Options: where they come from, what they accept, and what is said about them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "config_read.h"
#include "base/log.h"
#include "options.h"

#define WORDS_MAX 16

static struct config config;
static char error[CONFIG_ERROR_MAX];
static char file_name[] = P_tmpdir "/notify-config-XXXXXX";
static bool has_file;

static void teardown(void)
{
    config_release(&config);
    if (has_file)
        unlink(file_name);
}

TestSuite(bridge_config, .fini = teardown);

/* flags and environment: words with blanks between them; --auth none is always there. */
static int read_words(const char *flags, const char *environment)
{
    char *argv[WORDS_MAX + 4] = {(char *)"notify-bridge", (char *)"--auth", (char *)"none"};
    char *envp[WORDS_MAX + 1] = {(char *)"HOME=/nowhere"};
    char flag_text[512], environment_text[512];
    int argc = 3, envc = 1;

    (void)snprintf(flag_text, sizeof(flag_text), "%s", flags);
    (void)snprintf(environment_text, sizeof(environment_text), "%s", environment);
    for (char *word = strtok(flag_text, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    for (char *word = strtok(environment_text, " "); word != NULL; word = strtok(NULL, " "))
        envp[envc++] = word;
    config_release(&config);
    error[0] = '\0';
    return config_read(&config, error, argc, argv, envp);
}

static void write_file(const char *text)
{
    int fd = has_file ? open(file_name, O_WRONLY | O_TRUNC) : mkstemp(file_name);

    has_file = true;
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int read_with_file(const char *text, const char *flags, const char *environment)
{
    char words[256];

    write_file(text);
    (void)snprintf(words, sizeof(words), "--config %s %s", file_name, flags);
    return read_words(words, environment);
}

Test(bridge_config, has_defaults)
{
    cr_assert_eq(read_words("", ""), 0, "%s", error);
    cr_assert_eq(config.listen.len, 1);
    cr_assert_str_eq(config.listen.items[0], "127.0.0.1:8080");
    cr_assert_null(config.listen.items[1]);
    cr_assert_str_eq(config.redis, "redis://127.0.0.1:6379");
    cr_assert_str_eq(config.inbox_key, "inbox:%s");
    cr_assert_eq(config.auth, CONFIG_AUTH_NONE);
    cr_assert_eq(config.heartbeat_ms, 30000);
    cr_assert_eq(config.idle_timeout_ms, 300000);
    cr_assert_eq(config.outbox_bytes, 1048576);
    cr_assert_eq(config.log_level, LOG_INFO);
    cr_assert_not(config.dev);
    cr_assert_null(config.config_file);
}

Test(bridge_config, a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default)
{
    const char *file = "max-connections 11\nrecent-events 22\noutbox-bytes 8K\n";

    cr_assert_eq(read_with_file(file, "--outbox-bytes 16K",
                                "NOTIFY_RECENT_EVENTS=33 NOTIFY_OUTBOX_BYTES=32K"),
                 0, "%s", error);
    cr_assert_eq(config.max_connections, 11);
    cr_assert_eq(config.recent_events, 33);
    cr_assert_eq(config.outbox_bytes, 16384);
    cr_assert_eq(config.max_subscriptions, 128);
}

Test(bridge_config, a_flag_takes_its_value_with_or_without_an_equals_sign)
{
    cr_assert_eq(read_words("--redis=unix:///a=b?db=1 --max-connections 7 --dev", ""), 0);
    cr_assert_str_eq(config.redis, "unix:///a=b?db=1");
    cr_assert_eq(config.max_connections, 7);
    cr_assert(config.dev);
    cr_assert_eq(read_words("--dev=no --dev=yes --dev=no", ""), 0);
    cr_assert_not(config.dev);
}

Test(bridge_config, the_last_flag_of_a_name_counts)
{
    cr_assert_eq(read_words("--max-connections 7 --max-connections 8", ""), 0);
    cr_assert_eq(config.max_connections, 8);
}

Test(bridge_config, a_list_adds_up_within_a_source_and_is_replaced_by_a_stronger_one)
{
    const char *file = "listen :1\nlisten :2\nbroadcast-log a\nbroadcast-log b\n";

    cr_assert_eq(read_with_file(file, "--listen [::1]:3 --listen unix:/x", ""), 0, "%s", error);
    cr_assert_eq(config.listen.len, 2);
    cr_assert_str_eq(config.listen.items[0], "[::1]:3");
    cr_assert_str_eq(config.listen.items[1], "unix:/x");
    cr_assert_null(config.listen.items[2]);
    cr_assert_eq(config.broadcast_logs.len, 2);
    cr_assert_str_eq(config.broadcast_logs.items[1], "b");
}

Test(bridge_config, origins_and_host_names_may_be_given_with_commas)
{
    cr_assert_eq(read_words("--cors-origins https://a.example,http://b:80 --cors-origins ,null,",
                            "NOTIFY_HOST_NAMES=a.example,b"),
                 0, "%s", error);
    cr_assert_eq(config.cors_origins.len, 3);
    cr_assert_str_eq(config.cors_origins.items[1], "http://b:80");
    cr_assert_str_eq(config.cors_origins.items[2], "null");
    cr_assert_null(config.cors_origins.items[3]);
    cr_assert_eq(config.host_names.len, 2);
    cr_assert_eq(read_words("", "CORS_ORIGINS=http://localhost:5173,https://app.example.com"), 0);
    cr_assert_eq(config.cors_origins.len, 2);
    cr_assert_eq(read_words("--cors-origins=", "CORS_ORIGINS=*"), 0, "%s", error);
    cr_assert_eq(config.cors_origins.len, 0);
    cr_assert_eq(read_with_file("cors-origins  https://a.example , https://b.example \n", "", ""),
                 0, "%s", error);
    cr_assert_str_eq(config.cors_origins.items[1], "https://b.example");
}

Test(bridge_config, origins_and_host_names_must_be_such)
{
    cr_assert_neq(read_words("--cors-origins https://a.example,b.example", ""), 0);
    cr_assert_not_null(strstr(error, "cors-origins: must be like https://app.example.com"));
    cr_assert_neq(read_words("--host-names a,b:80", ""), 0);
    cr_assert_not_null(strstr(error, "host-names: must be names"));
}

Test(bridge_config, an_empty_value_empties_a_list)
{
    cr_assert_eq(read_words("--broadcast-log=", ""), 0);
    cr_assert_eq(config.broadcast_logs.len, 0);
    cr_assert(config.broadcast_logs.items == NULL || config.broadcast_logs.items[0] == NULL);
    cr_assert_eq(read_words("--broadcast-log=x --broadcast-log= --broadcast-log=y", ""), 0);
    cr_assert_eq(config.broadcast_logs.len, 1);
    cr_assert_str_eq(config.broadcast_logs.items[0], "y");
    cr_assert_eq(read_words("", "NOTIFY_BROADCAST_LOG="), 0);
    cr_assert_eq(config.broadcast_logs.len, 0);
}

Test(bridge_config, old_names_in_the_environment_still_serve)
{
    cr_assert_eq(read_words("", "REDIS_URL=redis://old WS_HEARTBEAT_INTERVAL=15 "
                                "WS_CONNECTION_TIMEOUT=90s"),
                 0, "%s", error);
    cr_assert_str_eq(config.redis, "redis://old");
    cr_assert_eq(config.heartbeat_ms, 15000);
    cr_assert_eq(config.idle_timeout_ms, 90000);
    cr_assert_eq(read_words("", "REDIS_URL=redis://old NOTIFY_REDIS=redis://new"), 0);
    cr_assert_str_eq(config.redis, "redis://new");
}

Test(bridge_config, a_name_in_the_environment_must_fit_whole)
{
    cr_assert_eq(read_words("", "NOTIFY_REDIS_X=redis://x XNOTIFY_REDIS=redis://y NOTIFY_REDI=z"),
                 0);
    cr_assert_str_eq(config.redis, "redis://127.0.0.1:6379");
}

struct quantity {
    const char *flag;
    uint64_t value;
};

static uint64_t heartbeat(void)
{
    return config.heartbeat_ms;
}

static uint64_t outbox(void)
{
    return config.outbox_bytes;
}

static void check_quantities(const char *name, const struct quantity *cases, size_t count,
                             uint64_t (*value)(void))
{
    for (size_t i = 0; i < count; i++) {
        char words[128];
        (void)snprintf(words, sizeof(words), "--%s=%s", name, cases[i].flag);
        cr_assert_eq(read_words(words, ""), 0, "%s: %s", words, error);
        cr_assert_eq(value(), cases[i].value, "%s", words);
    }
}

Test(bridge_config, times_and_sizes_take_units)
{
    static const struct quantity times[] = {{"100ms", 100}, {"1", 1000},     {"2s", 2000},
                                            {"3m", 180000}, {"1h", 3600000}, {"0001s", 1000}};
    static const struct quantity sizes[] = {
        {"4096", 4096}, {"4K", 4096}, {"3M", 3145728}, {"1G", 1073741824}};

    check_quantities("ws-heartbeat-interval", times, sizeof(times) / sizeof(times[0]), heartbeat);
    check_quantities("outbox-bytes", sizes, sizeof(sizes) / sizeof(sizes[0]), outbox);
}

#define SECRET "a-secret-of-at-least-thirty-two-bytes"

struct refusal {
    const char *flags;
    const char *part; /* of the message */
};

static const struct refusal refusals[] = {
    {"--nonsense", "--nonsense: no such option"},
    {"nonsense", "nonsense: no such option"},
    {"-h", "no such option"},
    {"--", "no such option"},
    {"--redi=x", "no such option"},
    {"--redis", "redis: needs a value"},
    {"--ws-heartbeat-interval=", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=99ms", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=61m", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=1.5s", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=-1s", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=+1s", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=1S", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=1K", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=18446744073709551616ms", "from 100ms to 1h"},
    {"--ws-heartbeat-interval=18446744073709551615h", "from 100ms to 1h"},
    {"--outbox-bytes=4095", "from 4K to 1G"},
    {"--outbox-bytes=1025M", "from 4K to 1G"},
    {"--outbox-bytes=4k", "from 4K to 1G"},
    {"--outbox-bytes=1s", "from 4K to 1G"},
    {"--max-connections=0", "from 1 to 10000000"},
    {"--max-connections=1K", "from 1 to 10000000"},
    {"--max-connections=0x10", "from 1 to 10000000"},
    {"--inbox-key=inbox", "%s exactly once"},
    {"--inbox-key=%s%s", "%s exactly once"},
    {"--inbox-key=%d", "%s exactly once"},
    {"--inbox-key=inbox:%h64:%s", "one {%h64} in front of it"},
    {"--log-level=loud", "must be error or warn or info or debug"},
    {"--log-level=", "must be"},
    {"--auth=", "must be none or jwt"},
    {"--auth=basic", "must be none or jwt"},
    {"--auth=jwt", "auth: is jwt: --jwt-secret, --jwt-key or --jwt-jwks must be given, too"},
    {"--auth=jwt --jwt-secret=" SECRET " --jwt-secret=short", "jwt-secret: must have 32 bytes"},
    {"--auth=jwt --jwt-key=/a --jwt-jwks=/b", "cannot both be files"},
    {"--auth=jwt --jwt-jwks=http://example.com/keys", "jwt-jwks: "},
    {"--auth=jwt --jwt-jwks=ftp://example.com/keys", "jwt-jwks: "},
    {"--auth=jwt --jwt-secret=" SECRET " --anonymous-role=guest", "anonymous-role: needs --roles"},
    {"--anonymous-role=*", "anonymous-role: must be the name of a role"},
    {"--auth=jwt --jwt-secret=" SECRET " --jwt-cookie=c --cors-origins=*", "jwt-cookie: cannot be"},
    {"--auth=jwt --jwt-secret=" SECRET " --topic-key=%s", "no key can be of two of them"},
    {"--auth=jwt --jwt-secret=" SECRET " --inbox-key=topic:inbox:%s", "no key can be of two"},
    {"--auth=jwt --jwt-secret=" SECRET " --inbox-key=s:%s:in --session-key=s:%s", "of two"},
    {"--auth=jwt --jwt-secret=" SECRET " --inbox-key={%h64}:%s --topic-key={%h64}:t%s", "of two"},
    {"--jwt-cookie=a=b", "jwt-cookie: must be"},
    {"--max-token-bytes=17K", "from 256 to 16K"},
    {"--jwt-leeway=6m", "from 0ms to 5m"},
    {"--listen=:8080", "auth: is none, and other machines can connect"},
    {"--listen=*:8080 --dev", "auth: is none, and other machines can connect"},
    {"--listen=unix:/x --listen=0.0.0.0:8080", "auth: is none, and other machines can connect"},
    {"--listen=[::]:8080,proxy", "auth: is none, and other machines can connect"},
    {"--listen=10.0.0.1:8080", "auth: is none, and other machines can connect"},
    {"--listen=myhost:8080", "auth: is none, and other machines can connect"},
    {"--listen=127.example.com:8080", "auth: is none, and other machines can connect"},
    {"--dev=maybe", "must be yes or no"},
    {"--config=/does/not/exist", "/does/not/exist: No such file"},
    {"--listen=8090", "listen: not of the form host:port"},
    {"--listen=:8090 --listen=127.0.0.1", "listen: not of the form host:port"},
    {"--listen=h:65536", "listen: not of the form"},
    {"--listen=::1:80", "listen: not of the form"},
    {"--listen=h:80x", "listen: not of the form"},
    {"--listen=unix:sock", "listen: the path of a unix socket must be absolute"},
    {"--listen=", "listen: must name at least one"},
    {"--redis=", "redis: a Redis URL begins with"},
    {"--redis=http://h", "redis: a Redis URL begins with"},
    {"--redis=redis://h:0", "redis: the port must be"},
    {"--redis=rediss://h:0", "redis: the port must be"},
    {"--redis-tls-ca=x", "redis-tls-ca: is given, but"},
    {"--redis=redis://a,b", "redis: names several servers"},
    {"--tls-ciphers=NONSENSE", "tls-ciphers: must be names of ciphers of TLS 1.2"},
    {"--tls-ciphersuites=ECDHE-RSA-AES128-GCM-SHA256", "tls-ciphersuites: must be names of"},
    {"--tls-client-auth=required", "tls-client-auth: needs --tls-client-ca"},
    {"--tls-client-ca=x", "tls-client-ca: is given, but no address of --listen has ,tls"},
    {"--redis-mode=sentinel", "sentinel-master: must be given"},
    {"--redis=unix:///s --redis-mode=sentinel --sentinel-master=m", "redis: must name Sentinels"},
    {"--sentinel-user=u", "need --redis-mode sentinel"},
    {"--redis-mode=cluster --redis-subscribe=replicas", "redis-subscribe: is replicas, but"},
    {"--redis=rediss://h --redis-tls-cert=x", "redis-tls-cert, redis-tls-key: must be given"},
    {"--topic-key=inbox:%s", "must differ from each other"},
    {"--topic-key=x:%s --session-key=x:%s", "must differ from each other"},
    {"--session-key=inbox:%s", "must differ from each other"},
};

Test(bridge_config, what_is_too_long_for_a_key_or_a_socket_is_refused)
{
    static const char *const names[] = {"inbox-key",     "topic-key", "session-key",
                                        "broadcast-log", "listen",    "redis"};
    static const char *const begins[] = {"%s", "%s", "%s", "", "unix:/", "unix:///"};
    char word[600], flags[700];

    memset(word, 'x', sizeof(word));
    word[513] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(flags, sizeof(flags), "--%s=%s%s", names[i], begins[i], word);
        char *argv[] = {(char *)"notify-bridge", (char *)"--auth=none", flags, NULL};
        char *envp[] = {NULL};
        config_release(&config);
        cr_assert_eq(config_read(&config, error, 3, argv, envp), -EINVAL, "%s", names[i]);
        cr_assert_not_null(strstr(error, names[i]), "%s", error);
    }
}

Test(bridge_config, says_what_is_wrong)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        cr_assert_eq(read_words(refusals[i].flags, ""), -EINVAL, "%s", refusals[i].flags);
        cr_assert_not_null(strstr(error, refusals[i].part), "%s: %s", refusals[i].flags, error);
    }
}

Test(bridge_config, without_auth_it_listens_on_this_machine_unless_it_is_told_twice)
{
    static const char *const fine[] = {
        "--listen=127.0.0.1:1 --listen=[::1]:1 --listen=127.9.9.9:1,proxy --listen=localhost:1",
        "--listen=unix:/x",
        "--listen=:1 --insecure-no-auth",
        "--auth=jwt --jwt-secret=" SECRET " --listen=:1",
        "--auth=jwt --jwt-secret=" SECRET
        " --inbox-key={%s}:i --topic-key={%s}:t --session-key={%s}:s",
        "--auth=jwt --jwt-secret=" SECRET
        " --inbox-key={%h64}:i:%s --topic-key={%h64}:t:%s --session-key=s:{%h64}:%s"};

    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        cr_assert_eq(read_words(fine[i], ""), 0, "%s: %s", fine[i], error);
}

Test(bridge_config, tokens_are_verified_with_a_secret_of_an_older_systems_name_too)
{
    cr_assert_eq(read_words("--auth=jwt", "SECRET_KEY=" SECRET), 0, "%s", error);
    cr_assert_eq(config.jwt_secrets.len, 1);
    cr_assert_str_eq(config.jwt_secrets.items[0], SECRET);
    cr_assert_eq(read_words("", "SECRET_KEY=short"), 0, "it is not looked at without need");
}

Test(bridge_config, the_environment_is_checked_as_well)
{
    cr_assert_eq(read_words("", "NOTIFY_MAX_CONNECTIONS=many"), -EINVAL);
    cr_assert_str_eq(error, "max-connections: must be from 1 to 10000000 (NOTIFY_MAX_CONNECTIONS)");
    cr_assert_eq(read_words("", "WS_HEARTBEAT_INTERVAL=soon"), -EINVAL);
    cr_assert_str_eq(error,
                     "ws-heartbeat-interval: must be from 100ms to 1h (WS_HEARTBEAT_INTERVAL)");
    cr_assert_eq(read_words("", "NOTIFY_LISTEN=8090"), -EINVAL);
    cr_assert_not_null(strstr(error, "(NOTIFY_LISTEN)"), "%s", error);
    cr_assert_eq(read_words("--max-connections=0", "NOTIFY_DEV=yes"), -EINVAL);
    cr_assert_null(strstr(error, "NOTIFY"), "%s", error);
}

Test(bridge_config, variables_that_are_spelt_wrong_are_noted)
{
    cr_assert_eq(read_words("", "NOTIFY_OUTBOX_BYTE=8K NOTIFY_DEV=yes NOTIFY_=1 NOTIFYX=1 "
                                "NOTIFY_OUTBOX_BYTESS=1 XNOTIFY_DEV=1 NOTIFY_outbox_bytes=1"),
                 0, "%s", error);
    cr_assert_eq(config.unknown.len, 4);
    cr_assert_str_eq(config.unknown.items[0], "NOTIFY_OUTBOX_BYTE");
    cr_assert_str_eq(config.unknown.items[1], "NOTIFY_");
    cr_assert_str_eq(config.unknown.items[2], "NOTIFY_OUTBOX_BYTESS");
    cr_assert_str_eq(config.unknown.items[3], "NOTIFY_outbox_bytes");
    cr_assert(config.dev);
    cr_assert_eq(config.outbox_bytes, 1048576);
}

Test(bridge_config, who_clients_are_must_be_said)
{
    char *argv[] = {(char *)"notify-bridge", NULL, NULL};
    char *envp[] = {NULL};

    cr_assert_eq(config_read(&config, error, 1, argv, envp), -EINVAL);
    cr_assert_str_eq(error,
                     "auth: must be given: jwt, or none (everyone is who they say they are)");
    static const char *const without[] = {"--help", "--help-markdown", "--version"};
    for (size_t i = 0; i < 3; i++) {
        config_release(&config);
        argv[1] = (char *)without[i];
        cr_assert_eq(config_read(&config, error, 2, argv, envp), 0, "%s", without[i]);
    }
}

Test(bridge_config, a_file_has_comments_blanks_and_values_with_blanks)
{
    cr_assert_eq(read_with_file(
                     "# comment\n\n  \t\n  redis \t redis://a b/1  \r\nmax-connections 5", "", ""),
                 0, "%s", error);
    cr_assert_str_eq(config.redis, "redis://a b/1");
    cr_assert_eq(config.max_connections, 5);
}

Test(bridge_config, a_file_may_empty_a_list_and_set_a_flag)
{
    cr_assert_eq(read_with_file("broadcast-log\ndev yes\n", "", ""), 0, "%s", error);
    cr_assert_eq(config.broadcast_logs.len, 0);
    cr_assert(config.dev);
}

Test(bridge_config, a_bad_file_is_refused)
{
    static const struct refusal files[] = {
        {"nonsense 1\n", "no such option"},
        {"--redis x\n", "no such option"},
        {"config other\n", "no such option"},
        {"max-connections\n", "from 1 to"},
        {"dev\n", "yes or no"},
        {"redis=x\n", "no such option"},
        {"listen 8090\n", "listen: not of the form"},
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        cr_assert_eq(read_with_file(files[i].flags, "", ""), -EINVAL, "%s", files[i].flags);
        cr_assert_not_null(strstr(error, files[i].part), "%s: %s", files[i].flags, error);
        cr_assert_not_null(strstr(error, ":1: "), "%s: %s", files[i].flags, error);
    }
}

Test(bridge_config, what_is_wrong_in_a_file_is_told_with_file_and_line)
{
    char expected[CONFIG_ERROR_MAX];

    cr_assert_eq(read_with_file("# ours\n\ndev yes\nmax-connections 0 # none\n", "", ""), -EINVAL);
    (void)snprintf(expected, sizeof(expected), "%s:4: max-connections: must be from 1 to 10000000",
                   file_name);
    cr_assert_str_eq(error, expected);
    cr_assert_eq(read_with_file("nonsense 1 2 3", "", ""), -EINVAL);
    (void)snprintf(expected, sizeof(expected), "%s:1: nonsense: no such option in a file",
                   file_name);
    cr_assert_str_eq(error, expected);
    cr_assert_eq(read_with_file("dev yes", "--max-connections=0", ""), -EINVAL);
    cr_assert_null(strstr(error, file_name), "a flag is no matter of the file: %s", error);
}

Test(bridge_config, a_line_of_a_file_has_a_longest_length)
{
    static char text[6000];

    memset(text, 'x', 5000);
    memcpy(text, "redis redis://", 14);
    cr_assert_eq(read_with_file(text, "", ""), -EINVAL);
    cr_assert_not_null(strstr(error, "too long"), "%s", error);
    text[4000] = '\0';
    cr_assert_eq(read_with_file(text, "", ""), 0, "%s", error);
}

/* What is printed. */

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    cr_assert_not_null(out);
    print(out);
    (void)fclose(out);
    return text;
}

static const char *const all_options[] = {
    "listen",
    "workers",
    "worker-timeout",
    "takeover-timeout",
    "redis",
    "redis-tls-ca",
    "redis-tls-cert",
    "redis-tls-key",
    "redis-tls-name",
    "redis-tls-min-version",
    "subscriber-links",
    "cluster-subscriber-links",
    "redis-subscribe",
    "redis-mode",
    "sentinel-master",
    "sentinel-user",
    "sentinel-password",
    "sentinel-tls",
    "auth",
    "insecure-no-auth",
    "jwt-secret",
    "jwt-key",
    "jwt-jwks",
    "jwt-jwks-ca",
    "jwt-jwks-max-stale",
    "jwt-audience",
    "jwt-issuer",
    "jwt-leeway",
    "jwt-cookie",
    "max-token-bytes",
    "auth-timeout",
    "roles",
    "anonymous-role",
    "dev",
    "docs",
    "cors-origins",
    "host-names",
    "config",
    "check-config",
    "log-level",
    "log-format",
    "inbox-key",
    "topic-key",
    "session-key",
    "user-sessions-key",
    "session-users-key",
    "presence-key",
    "session-lease",
    "max-connections-per-session",
    "max-sessions-per-user",
    "broadcast-log",
    "tls-cert",
    "tls-key",
    "tls-min-version",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-client-ca",
    "tls-client-auth",
    "trusted-proxies",
    "proxy-header",
    "max-connections",
    "max-connections-per-address",
    "connect-rate",
    "connect-burst",
    "exempt-addresses",
    "max-addresses",
    "message-rate",
    "message-burst",
    "request-rate",
    "request-burst",
    "agent-stream",
    "agent-stream-max",
    "agent-timeout",
    "agent-grace",
    "max-agent-requests",
    "max-agent-requests-per-client",
    "max-agent-requests-per-user",
    "max-agent-answer-bytes",
    "ws-heartbeat-interval",
    "sse-heartbeat-interval",
    "ws-connection-timeout",
    "socketio-namespace",
    "socketio-ping-interval",
    "socketio-ping-timeout",
    "socketio-connect-timeout",
    "socketio-recovery",
    "socketio-recovery-time",
    "max-message-bytes",
    "compress",
    "compress-min-bytes",
    "max-control-frames",
    "max-subscriptions",
    "outbox-bytes",
    "slow-client-timeout",
    "recent-events",
    "recent-bytes",
    "read-ahead-bytes",
    "channel-linger",
    "max-lingering",
    "max-lingering-per-client",
    "drain-delay",
    "restart-spread",
    "shutdown-timeout",
    "status-interval",
    "statistics-interval",
    "delivery-log",
    "delivery-log-rate",
    "channel",
    "max-channel-message",
    "max-channel-patterns",
    "slow-turn",
    "metrics-listen",
    "admin-listen",
    "top",
    "metrics-markdown",
    "version",
    "help",
    "help-markdown",
    "help-as",
    "probe",
};

Test(bridge_config, help_names_every_option)
{
    char *help = printed(options_print_help), *markdown = printed(options_print_markdown);
    size_t rows = 0;

    for (size_t i = 0; i < sizeof(all_options) / sizeof(all_options[0]); i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "  --%s", all_options[i]);
        cr_assert_not_null(strstr(help, name), "%s", name);
        (void)snprintf(name, sizeof(name), "| `--%s", all_options[i]);
        cr_assert_not_null(strstr(markdown, name), "%s", name);
    }
    for (const char *at = markdown; (at = strstr(at, "\n| `--")) != NULL; at++)
        rows++;
    cr_assert_eq(rows, sizeof(all_options) / sizeof(all_options[0]), "this test knows all options");
    free(help);
    free(markdown);
}

Test(bridge_config, docs_tell_what_the_program_runs_on)
{
    char *markdown = printed(options_print_markdown), *docs = NULL;
    size_t cap = 0;
    FILE *file = fopen("docs/options.md", "re"); /* ctest starts in the project's folder */

    cr_assert_not_null(file);
    cr_assert_gt(getdelim(&docs, &cap, EOF, file), 0);
    (void)fclose(file); /* only read from */
    cr_assert_str_eq(docs, markdown, "run notify-bridge --help-markdown > docs/options.md");
    free(docs);
    free(markdown);
}

Test(bridge_config, what_may_change_is_changed_as_a_whole)
{
    char flag[] = "--config", auth[] = "--auth=none", *argv[] = {flag, flag, file_name, auth},
         *envp[] = {NULL};
    struct config old;

    write_file("cors-origins https://one.example\nrestart-spread 1s\n");
    cr_assert_eq(config_read(&config, error, 4, argv, envp), 0, "%s", error);
    write_file("cors-origins https://two.example\nrestart-spread 3s\n");
    cr_assert_eq(config_reload(&config, &old, error), 0, "%s", error);
    cr_expect_str_eq(config.cors_origins.items[0], "https://two.example");
    cr_expect_str_eq(old.cors_origins.items[0], "https://one.example");
    cr_expect_eq(config.restart_spread_ms, 3000);
    config_release(&old);
}

Test(bridge_config, what_is_wrong_or_needs_a_restart_changes_nothing)
{
    static const char *const texts[] = {"cors-origins https://two.example\nmax-connections 7\n",
                                        "cors-origins https://two.example\nlisten :1,tls\n",
                                        "cors-origins https://two.example\nredis redis://other\n",
                                        "cors-origins https://two.example\ndocs yes\n",
                                        "cors-origins https://two.example\nnonsense\n"};
    char flag[] = "--config", auth[] = "--auth=none", *argv[] = {flag, flag, file_name, auth},
         *envp[] = {NULL};
    struct config old;

    write_file("cors-origins https://one.example\n");
    cr_assert_eq(config_read(&config, error, 4, argv, envp), 0, "%s", error);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_file(texts[i]);
        cr_expect_eq(config_reload(&config, &old, error), -EINVAL, "%s", texts[i]);
        cr_expect_gt(strlen(error), 0);
        cr_expect_str_eq(config.cors_origins.items[0], "https://one.example");
        cr_expect_eq(config.max_connections, 1000000);
    }
}
