/* What INFO replication says, and what it does not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/replication_info.h"

static const char primary[] =
    "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n"
    "slave0:ip=127.0.0.1,port=7001,state=online,offset=42,lag=0\r\n"
    "slave1:ip=10.0.0.2,port=7002,state=wait_bgsave,offset=0,lag=0\r\n"
    "slave2:ip=::1,port=7003,state=online,offset=40,lag=1,io-thread=0\r\n"
    "master_failover_state:no-failover\r\nmaster_replid:abc\r\nmaster_repl_offset:42\r\n";
static const char replica[] =
    "# Replication\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_link_status:up\r\n"
    "master_sync_in_progress:0\r\nslave_read_repl_offset:45\r\nslave_repl_offset:44\r\n"
    "connected_slaves:0\r\nmaster_replid:abc\r\nmaster_repl_offset:46\r\n";

static struct replication_info read_of(const char *text)
{
    struct replication_info info;

    cr_assert(replication_info_read(&info, notify_str_z(text)), "%s", text);
    return info;
}

Test(replication_info, a_primary_tells_which_replicas_hear_what_is_new)
{
    struct replication_info info = read_of(primary);
    struct replica_place place;
    size_t at = 0;

    cr_assert(!info.is_replica && info.offset == 42);
    cr_assert(notify_str_eq(info.stream, NOTIFY_STR("abc")));
    cr_assert(replication_info_next(&info, &at, &place));
    cr_assert_str_eq(place.host, "127.0.0.1");
    cr_assert_eq(place.port, 7001);
    cr_assert(replication_info_next(&info, &at, &place));
    cr_assert_str_eq(place.host, "::1");
    cr_assert_eq(place.port, 7003);
    cr_assert_not(replication_info_next(&info, &at, &place));
}

Test(replication_info, a_replica_tells_whether_it_follows_and_how_far_it_is)
{
    static const char *const not_up = "role:slave\nmaster_link_status:down\n"
                                      "master_sync_in_progress:0\nslave_repl_offset:1\n";
    static const char *const syncing = "role:slave\nmaster_link_status:up\n"
                                       "master_sync_in_progress:1\nslave_repl_offset:1\n";
    struct replication_info info = read_of(replica);
    struct replica_place place;
    size_t at = 0;

    cr_assert(info.is_replica && info.follows && info.offset == 44);
    cr_assert(notify_str_eq(info.stream, NOTIFY_STR("abc")));
    cr_assert_not(replication_info_next(&info, &at, &place)); /* slave_repl_offset is none */
    cr_assert_not(read_of(not_up).follows);
    cr_assert_not(read_of(syncing).follows);
}

Test(replication_info, what_is_no_such_text_says_nothing)
{
    static const char *const others[] = {"",
                                         "\n",
                                         "role",
                                         "role:",
                                         "role:sentinel\nmaster_repl_offset:1",
                                         "ROLE:master",
                                         "role:master",
                                         "role:master\nmaster_repl_offset:",
                                         "role:master\nmaster_repl_offset:-1",
                                         "role:master\nmaster_repl_offset:1x",
                                         "role:slave\nmaster_repl_offset:1",
                                         "xrole:master\nmaster_repl_offset:1",
                                         "role:master\nmaster_repl_offset:99999999999999999999"};
    struct replication_info info;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(replication_info_read(&info, notify_str_z(others[i])), "%s", others[i]);
    cr_assert_not(replication_info_read(&info, (struct notify_str){NULL, 0}));
}

Test(replication_info, a_replica_without_a_usable_place_is_passed_over)
{
    static const char *const lines[] = {"slave0:",
                                        "slave0",
                                        "slave:ip=h,port=1,state=online",
                                        "slavex:ip=h,port=1,state=online",
                                        "slave0:ip=,port=1,state=online",
                                        "slave0:ip=h,port=0,state=online",
                                        "slave0:ip=h,port=65536,state=online",
                                        "slave0:ip=h,port=-1,state=online",
                                        "slave0:ip=h,port=,state=online",
                                        "slave0:ip=h,state=online",
                                        "slave0:port=1,state=online",
                                        "slave0:ip=h,port=1",
                                        "slave0:ip=h,port=1,state=",
                                        "slave0:ip=h,port=1,state=onlinex",
                                        "slave0:,,,=,ip,port",
                                        "slave0 :ip=h,port=1,state=online"};
    char text[512];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct replica_place place;
        struct replication_info info;
        size_t at = 0;
        (void)snprintf(text, sizeof(text), "role:master\r\nmaster_repl_offset:1\r\n%s\r\n",
                       lines[i]);
        info = read_of(text);
        cr_assert_not(replication_info_next(&info, &at, &place), "%s", lines[i]);
    }
}

/* In memory of exactly its size, so that a sanitizer sees its end. */
Test(replication_info, a_text_that_was_cut_off_is_read_to_its_end_and_no_further)
{
    for (size_t len = 0; len < sizeof(primary); len++) {
        char *text = malloc(len + (len == 0));
        struct replication_info info;
        struct replica_place place;
        size_t at = 0;
        memcpy(text, primary, len);
        if (replication_info_read(&info, notify_str_of(text, len)))
            while (replication_info_next(&info, &at, &place))
                cr_assert(place.port > 0);
        free(text);
    }
}

Test(replication_info, a_host_that_is_too_long_is_none)
{
    char text[REPLICATION_HOST_MAX + 100];
    struct replica_place place;

    for (size_t extra = 0; extra < 2; extra++) {
        struct replication_info info;
        size_t at = 0;
        (void)snprintf(text, sizeof(text),
                       "role:master\nmaster_repl_offset:1\nslave0:ip=%0*d,port=1,state=online\n",
                       (int)(REPLICATION_HOST_MAX - 1 + extra), 0);
        info = read_of(text);
        cr_assert_eq(replication_info_next(&info, &at, &place), extra == 0);
    }
}
