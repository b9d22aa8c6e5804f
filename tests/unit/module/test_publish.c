/* Who is asked for permission, and by which way a message leaves. The server is played by fakes. */
#include "server/publish.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

struct rm_ctx {
    int unused;
};
struct rm_string {
    struct notify_str text;
};
struct rm_user {
    int unused;
};

/* What the server is like, and what was asked of it. */
static struct {
    int flags;
    int database; /* of the context */
    int version;
    bool client_is_listed;
    bool permits;
    bool user_exists;
    unsigned long long client;
    int names_asked, users_found, users_freed, denials_logged, errors, plain, sharded;
    unsigned long long replicas;
    char replicated[64];
} server;

static struct rm_ctx ctx;
static struct rm_string key = {{"inbox:1", 7}};
static struct rm_string user_name = {{"bob", 3}};
static struct rm_string message = {{"{}", 2}};
static struct rm_user user;

static int get_flags(struct rm_ctx *c)
{
    (void)c;
    return server.flags;
}

static int get_database(struct rm_ctx *c)
{
    (void)c;
    return server.database;
}

static int get_version(void)
{
    return server.version;
}

static unsigned long long get_client_id(struct rm_ctx *c)
{
    (void)c;
    return server.client;
}

static int get_client_info(void *info, uint64_t id)
{
    (void)info, (void)id;
    return server.client_is_listed ? RM_OK : RM_ERR;
}

static struct rm_string *get_user_name(struct rm_ctx *c)
{
    (void)c;
    server.names_asked++;
    return &user_name;
}

static const char *string_text(const struct rm_string *string, size_t *ret_len)
{
    *ret_len = string->text.len;
    return string->text.ptr;
}

static struct rm_user *get_user(struct rm_string *name)
{
    cr_assert_eq(name, &user_name);
    server.users_found++;
    return server.user_exists ? &user : NULL;
}

static int check_channel(struct rm_user *u, struct rm_string *channel, int flags)
{
    (void)u;
    cr_assert_eq(channel, &key);
    cr_assert_eq(flags, RM_CHANNEL_PUBLISH);
    return server.permits ? RM_OK : RM_ERR;
}

static void log_denial(struct rm_ctx *c, struct rm_user *u, struct rm_string *object, int reason)
{
    (void)c, (void)u, (void)object, (void)reason;
    server.denials_logged++;
}

static int free_user(struct rm_user *u)
{
    (void)u;
    server.users_freed++;
    return RM_OK;
}

static void free_string(struct rm_ctx *c, struct rm_string *string)
{
    (void)c, (void)string;
}

static int reply_error(struct rm_ctx *c, const char *error)
{
    (void)c;
    cr_assert_eq(strncmp(error, "NOPERM ", 7), 0);
    server.errors++;
    return RM_OK;
}

static struct rm_string *create_string(struct rm_ctx *c, const char *ptr, size_t len)
{
    (void)c, (void)ptr, (void)len;
    return &message;
}

static int publish_plain(struct rm_ctx *c, struct rm_string *channel, struct rm_string *text)
{
    (void)c, (void)channel, (void)text;
    server.plain++;
    return 3;
}

static int publish_shard(struct rm_ctx *c, struct rm_string *channel, struct rm_string *text)
{
    (void)c, (void)channel, (void)text;
    server.sharded++;
    return 4;
}

static int replicate(struct rm_ctx *c, const char *command, const char *format, ...)
{
    va_list list;

    (void)c;
    va_start(list, format);
    cr_assert_eq(va_arg(list, struct rm_string *), &key);
    cr_assert_eq(va_arg(list, struct rm_string *), &message);
    va_end(list);
    snprintf(server.replicated, sizeof server.replicated, "%s %s", command, format);
    return RM_OK;
}

static struct rm_server_info *get_info(struct rm_ctx *c, const char *section)
{
    static char info;

    (void)c, (void)section;
    return (struct rm_server_info *)(void *)&info;
}

static unsigned long long get_field(struct rm_server_info *info, const char *field, int *error)
{
    (void)info;
    *error = RM_OK;
    return strcmp(field, "connected_slaves") == 0 ? server.replicas : 0;
}

static void free_info(struct rm_ctx *c, struct rm_server_info *info)
{
    (void)c, (void)info;
}

static void set_up(void)
{
    static unsigned long long next_client = 1;

    memset(&server, 0, sizeof server);
    server.version = 0x070000;
    server.client_is_listed = server.permits = server.user_exists = true;
    server.client = next_client++; /* publish remembers the last one */
    rm_GetContextFlags = get_flags;
    rm_GetSelectedDb = get_database;
    rm_GetServerVersion = get_version;
    rm_GetClientId = get_client_id;
    rm_GetClientInfoById = get_client_info;
    rm_StringPtrLen = string_text;
    rm_GetCurrentUserName = get_user_name;
    rm_GetModuleUserFromUserName = get_user;
    rm_ACLCheckChannelPermissions = check_channel;
    rm_ACLAddLogEntry = log_denial;
    rm_FreeModuleUser = free_user;
    rm_FreeString = free_string;
    rm_ReplyWithError = reply_error;
    rm_CreateString = create_string;
    rm_PublishMessage = publish_plain;
    rm_PublishMessageShard = publish_shard;
    rm_Replicate = replicate;
    rm_GetServerInfo = get_info;
    rm_ServerInfoGetFieldUnsigned = get_field;
    rm_FreeServerInfo = free_info;
}

TestSuite(publish, .init = set_up);

Test(publish, asks_for_the_user_of_an_ordinary_client)
{
    cr_assert(publish_permitted_or_reply(&ctx, &key));
    cr_assert_eq(server.names_asked, 1);
}

Test(publish, a_denial_is_replied_and_logged)
{
    server.permits = false;
    cr_assert_not(publish_permitted_or_reply(&ctx, &key));
    cr_assert_eq(server.errors, 1);
    cr_assert_eq(server.denials_logged, 1);
}

Test(publish, permission_is_asked_for_each_time)
{
    cr_assert(publish_permitted_or_reply(&ctx, &key));
    server.permits = false;
    cr_assert_not(publish_permitted_or_reply(&ctx, &key));
}

Test(publish, the_default_user_is_looked_up_once_and_asked_about_each_time)
{
    user_name.text = NOTIFY_STR("default");
    cr_assert(publish_permitted_or_reply(&ctx, &key));
    server.permits = false;
    cr_assert_not(publish_permitted_or_reply(&ctx, &key));
    cr_assert_eq(server.denials_logged, 1);
    cr_assert_eq(server.users_found, 1);
    cr_assert_eq(server.users_freed, 0, "it is kept");
}

Test(publish, any_other_user_is_looked_up_each_time_and_given_back)
{
    static const struct notify_str names[] = {NOTIFY_STR_INIT("bob"), NOTIFY_STR_INIT("defaults"),
                                              NOTIFY_STR_INIT("Default"), NOTIFY_STR_INIT("")};

    for (int i = 0; i < 4; i++) {
        user_name.text = names[i];
        cr_assert(publish_permitted_or_reply(&ctx, &key));
        cr_assert_eq(server.users_found, i + 1);
        cr_assert_eq(server.users_freed, i + 1);
    }
}

Test(publish, a_user_that_was_deleted_meanwhile_may_not)
{
    server.user_exists = false;
    cr_assert_not(publish_permitted_or_reply(&ctx, &key));
    cr_assert_eq(server.errors, 1);
}

Test(publish, the_link_to_a_primary_and_loading_have_no_user_to_ask)
{
    static const int flags[] = {RM_FLAG_REPLICATED, RM_FLAG_LOADING, RM_FLAG_LOADING | RM_FLAG_LUA};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        server.flags = flags[i];
        cr_assert(publish_permitted_or_reply(&ctx, &key));
    }
    cr_assert_eq(server.names_asked, 0);
}

Test(publish, a_client_that_is_in_no_list_is_not_asked_where_that_crashes)
{
    server.client_is_listed = false;
    cr_assert(publish_permitted_or_reply(&ctx, &key));
    cr_assert_eq(server.names_asked, 0);
    server.version = 0x080000;
    cr_assert(publish_permitted_or_reply(&ctx, &key));
    cr_assert_eq(server.names_asked, 1);
}

Test(publish, a_script_has_its_callers_user)
{
    server.client_is_listed = false;
    server.flags = RM_FLAG_LUA;
    server.permits = false;
    cr_assert_not(publish_permitted_or_reply(&ctx, &key));
}

Test(publish, standalone_replicas_get_it_by_a_replicated_publish)
{
    server.replicas = 1;
    cr_assert_eq(publish_message(&ctx, &key, NOTIFY_STR("{}")), 3);
    cr_assert_eq(server.plain, 1);
    cr_assert_str_eq(server.replicated, "PUBLISH Ass", "it must stay out of the AOF");
}

Test(publish, without_replicas_nothing_is_replicated_for_subscribers)
{
    cr_assert_eq(publish_message(&ctx, &key, NOTIFY_STR("{}")), 3);
    cr_assert_str_eq(server.replicated, "");
}

Test(publish, in_a_cluster_the_bus_carries_it)
{
    server.flags = RM_FLAG_CLUSTER;
    server.replicas = 1;
    publish_init(&ctx);
    cr_assert_eq(publish_message(&ctx, &key, NOTIFY_STR("{}")), 4);
    cr_assert_eq(server.sharded, 1);
    cr_assert_str_eq(server.replicated, "", "replicas would get it twice");
}

Test(publish, one_database_alone_is_told_of)
{
    server.replicas = 1;
    server.database = 1;
    cr_assert_not(publish_is_on(&ctx));
    cr_assert_eq(publish_message(&ctx, &key, NOTIFY_STR("{}")), 0);
    cr_assert_eq(server.plain + server.sharded, 0);
    cr_assert_str_eq(server.replicated, "");
}

Test(publish, events_are_told_by_who_has_them_but_not_while_loading_nor_by_replicas_of_a_cluster)
{
    static const struct {
        int flags;
        bool tells;
    } cases[] = {
        {0, true},
        {RM_FLAG_REPLICA, true},
        {RM_FLAG_LOADING, false},
        {RM_FLAG_CLUSTER, true},
        {RM_FLAG_CLUSTER | RM_FLAG_REPLICA, false},
        {RM_FLAG_CLUSTER | RM_FLAG_LOADING, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        server.flags = cases[i].flags;
        publish_init(&ctx);
        cr_assert_eq(publish_tells_events(&ctx), cases[i].tells, "case %zu", i);
    }
}

Test(publish, what_each_server_tells_by_itself_is_not_replicated)
{
    server.replicas = 1;
    publish_init(&ctx);
    publish_here(&ctx, &key, NOTIFY_STR("{}"));
    publish_control(&ctx, NOTIFY_STR("{}"));
    cr_assert_eq(server.plain, 2);
    cr_assert_str_eq(server.replicated, "");
}

Test(publish, in_a_cluster_the_control_channel_is_a_plain_one)
{
    server.flags = RM_FLAG_CLUSTER;
    publish_init(&ctx);
    publish_here(&ctx, &key, NOTIFY_STR("{}"));
    publish_control(&ctx, NOTIFY_STR("{}"));
    cr_assert_eq(server.sharded, 1);
    cr_assert_eq(server.plain, 1);
}

static int told_before;

static void note_before(struct rm_ctx *c)
{
    (void)c;
    cr_assert_eq(server.plain, 0, "it must come first");
    told_before++;
}

Test(publish, what_is_still_to_be_told_goes_before_a_message)
{
    publish_before(note_before);
    cr_assert_eq(publish_message(&ctx, &key, NOTIFY_STR("{}")), 3);
    cr_assert_eq(told_before, 1);
}
