/* When what is replicated may be left out. The server is played by fakes. */
#include "server/replication.h"

#include <criterion/criterion.h>
#include <string.h>

struct rm_ctx {
    int unused;
};

/* What the server is like, and what was asked of it. */
static struct {
    int flags;
    bool refuses_info, lacks_fields;
    unsigned long long replicas, backlog;
    int info_asked;
} server;

static struct rm_ctx ctx;
static rm_event_fn callback;
static unsigned subscribed; /* a bit for each event */

static int get_flags(struct rm_ctx *c)
{
    (void)c;
    return server.flags;
}

static int subscribe(struct rm_ctx *c, struct rm_event event, rm_event_fn on_event)
{
    (void)c;
    cr_assert_eq(event.dataver, 1);
    subscribed |= 1u << event.id;
    callback = on_event;
    return RM_OK;
}

static int refuse_to_subscribe(struct rm_ctx *c, struct rm_event event, rm_event_fn on_event)
{
    (void)c, (void)event, (void)on_event;
    return RM_ERR;
}

static void happens(uint64_t event)
{
    cr_assert((subscribed & 1u << event) != 0);
    callback(&ctx, (struct rm_event){event, 1}, 0, NULL);
}

static struct rm_server_info *get_info(struct rm_ctx *c, const char *section)
{
    static char info;

    (void)c;
    cr_assert_str_eq(section, "replication");
    server.info_asked++;
    return server.refuses_info ? NULL : (struct rm_server_info *)(void *)&info;
}

static unsigned long long get_field(struct rm_server_info *info, const char *field, int *error)
{
    (void)info;
    *error = server.lacks_fields ? RM_ERR : RM_OK;
    return strcmp(field, "connected_slaves") == 0 ? server.replicas : server.backlog;
}

static void free_info(struct rm_ctx *c, struct rm_server_info *info)
{
    (void)c, (void)info;
}

/* Each test is a process of its own: nothing is known yet of the server. */
static void set_up(void)
{
    memset(&server, 0, sizeof server);
    rm_GetContextFlags = get_flags;
    rm_SubscribeToServerEvent = subscribe;
    rm_GetServerInfo = get_info;
    rm_ServerInfoGetFieldUnsigned = get_field;
    rm_FreeServerInfo = free_info;
    cr_assert(replication_init(&ctx));
}

TestSuite(replication, .init = set_up);

Test(replication, a_server_that_tells_of_no_replicas_is_refused)
{
    rm_SubscribeToServerEvent = refuse_to_subscribe;
    cr_assert_not(replication_init(&ctx));
}

Test(replication, a_lonely_primary_is_not_heard_and_not_asked_for_every_command)
{
    cr_assert_not(replication_is_heard(&ctx));
    happens(RM_EVENT_FORK_CHILD); /* a snapshot for the disk */
    for (int i = 0; i < 100; i++)
        cr_assert_not(replication_is_heard(&ctx));
    cr_assert_leq(server.info_asked, 2);
}

Test(replication, a_replica_misses_nothing_from_the_fork_for_its_snapshot_on)
{
    cr_assert_not(replication_is_heard(&ctx));
    server.replicas = 1;
    happens(RM_EVENT_FORK_CHILD);
    cr_assert(replication_is_heard(&ctx));
    cr_assert(replication_has_replicas(&ctx));
    server.replicas = 0;
    happens(RM_EVENT_REPLICA_CHANGE);
    cr_assert(replication_is_heard(&ctx), "it may come back and go on from the backlog");
}

Test(replication, a_file_that_is_saved_while_a_replica_waits_is_a_place_to_go_on_from)
{
    cr_assert_not(replication_is_heard(&ctx));
    happens(RM_EVENT_PERSISTENCE); /* nobody waits */
    cr_assert_not(replication_is_heard(&ctx));
    server.backlog = 1;
    happens(RM_EVENT_PERSISTENCE);
    cr_assert(replication_is_heard(&ctx));
}

Test(replication, what_a_server_is_like_while_it_loads_tells_nothing)
{
    server.flags = RM_FLAG_LOADING;
    cr_assert(replication_is_heard(&ctx));
    cr_assert(replication_has_replicas(&ctx));
    cr_assert_eq(server.info_asked, 0);
    server.flags = 0;
    server.backlog = 1;
    cr_assert(replication_is_heard(&ctx));
}

Test(replication, a_lonely_server_that_has_loaded_is_not_heard)
{
    server.flags = RM_FLAG_LOADING;
    cr_assert(replication_is_heard(&ctx));
    server.flags = 0;
    cr_assert_not(replication_is_heard(&ctx));
}

Test(replication, a_backlog_from_before_a_restart_or_a_promotion_gets_all)
{
    server.backlog = 1;
    cr_assert(replication_is_heard(&ctx));
}

Test(replication, a_promoted_replica_is_heard)
{
    cr_assert_not(replication_is_heard(&ctx));
    happens(RM_EVENT_ROLE_CHANGED);
    cr_assert(replication_is_heard(&ctx));
}

Test(replication, a_replica_that_comes_is_heard_whatever_came_before)
{
    cr_assert_not(replication_is_heard(&ctx));
    happens(RM_EVENT_REPLICA_CHANGE);
    cr_assert(replication_is_heard(&ctx));
}

Test(replication, an_aof_hears_as_long_as_it_is_on)
{
    server.flags = RM_FLAG_AOF;
    cr_assert(replication_is_heard(&ctx));
    cr_assert_not(replication_has_replicas(&ctx), "what replicas need stays out of it");
    server.flags = 0;
    cr_assert_not(replication_is_heard(&ctx));
}

Test(replication, a_replica_and_a_node_of_a_cluster_always_hand_on)
{
    server.flags = RM_FLAG_REPLICA;
    cr_assert(replication_is_heard(&ctx));
    server.flags = RM_FLAG_CLUSTER;
    cr_assert(replication_is_heard(&ctx));
}

Test(replication, a_transaction_may_be_heard_by_what_begins_within_it)
{
    server.flags = RM_FLAG_MULTI;
    cr_assert(replication_is_heard(&ctx));
    cr_assert_not(replication_has_replicas(&ctx));
}

Test(replication, what_the_server_does_not_tell_counts_as_heard)
{
    server.refuses_info = true;
    cr_assert(replication_is_heard(&ctx));
}

Test(replication, a_server_without_the_known_fields_counts_as_heard)
{
    server.lacks_fields = true;
    cr_assert(replication_is_heard(&ctx));
}
