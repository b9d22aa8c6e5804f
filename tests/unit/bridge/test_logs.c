/* logs: which an inbox follows by itself, and which are only of other people's roles. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/counters.h"
#include "clients/client.h"
#include "clients/logs.h"
#include "identity/identity.h"
#include "identity/key_names.h"

static struct roles book;
static struct key_names keys;
static const char *const logs[] = {"topic:all", "inbox:alice", "topic:news", NULL};
static struct client_shared shared;

static void setup(void)
{
    for (size_t i = 0; i < KEY_KINDS; i++)
        keys.patterns[i] = i == KEY_INBOX ? "inbox:%s" : "topic:%s";
    shared = (struct client_shared){.keys = &keys, .broadcast_logs = logs};
}

static void teardown(void)
{
    roles_release(&book);
}

TestSuite(logs, .init = setup, .fini = teardown);

static void read_roles(const char *text)
{
    char error[ROLES_ERROR_MAX];

    cr_assert_eq(roles_read(&book, notify_str_z(text), error), 0, "%s", error);
}

static struct identity *identity_from(const char *user, const char *role)
{
    json_t *claims = json_pack("{s:s, s:[s]}", "sub", user, "roles", role);
    const char *why;
    struct identity *identity = identity_of_claims(claims, 1, &book, &why);

    json_decref(claims);
    return identity;
}

/* Do they come to this, with blanks between? */
static void check(const struct logs *found, const char *expected)
{
    char text[512] = "";

    for (size_t i = 0; i < found->len; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s",
                       i == 0 ? "" : " ", (int)found->at[i].len, found->at[i].ptr);
    cr_expect_str_eq(text, expected);
}

static const char roles_text[] = "role *\n follow news mine:{user}\n"
                                 "role dev\n follow builds news all\n"
                                 "role ops\n follow alerts of:{user} mine:{user}\n";

Test(logs, are_the_broadcast_logs_and_the_topics_of_roles_each_once_and_never_the_inbox_itself)
{
    struct identity *alice, *bob;

    read_roles(roles_text);
    alice = identity_from("alice", "dev");
    bob = identity_from("bob", "none");
    check(logs_of(&shared, alice), "topic:all topic:news topic:mine:alice topic:builds");
    check(logs_of(&shared, bob), "topic:all inbox:alice topic:news topic:mine:bob");
    cr_expect(logs_have(logs_of(&shared, bob), NOTIFY_STR("topic:mine:bob")));
    cr_expect_not(logs_have(logs_of(&shared, bob), NOTIFY_STR("topic:mine:alice")));
    identity_unref(alice);
    identity_unref(bob);
}

Test(logs, of_others_are_those_that_the_file_gives_to_somebody_else)
{
    struct identity *alice, *guest;

    read_roles(roles_text);
    alice = identity_from("alice", "dev");
    check(logs_of_others(&shared, alice), "topic:alerts topic:of:alice");
    identity_unref(alice);
    alice = identity_from("alice", "none");
    check(logs_of_others(&shared, alice), "topic:builds topic:alerts topic:of:alice");
    identity_unref(alice);
    guest = identity_anonymous(NOTIFY_STR("guest-1"), "dev", &book);
    check(logs_of(&shared, guest), "");
    check(logs_of_others(&shared, guest), "");
    identity_unref(guest);
}

Test(logs, without_a_file_there_are_only_the_broadcast_logs)
{
    struct identity *open = identity_open(NOTIFY_STR("bob"));

    check(logs_of(&shared, open), "topic:all inbox:alice topic:news");
    check(logs_of_others(&shared, open), "");
    identity_unref(open);
}

/* "role *", and so many topics. */
static void read_many(unsigned count)
{
    static char text[16384];
    size_t len = (size_t)snprintf(text, sizeof(text), "role r\n follow");

    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, " t%u", i);
    read_roles(text);
}

Test(logs, are_limited_and_the_limit_is_counted)
{
    uint64_t before = counter_values[COUNTER_LOGS];
    struct identity *alice;

    read_many(LOGS_MAX);
    alice = identity_from("alice", "r");
    cr_expect_eq(logs_of(&shared, alice)->len, LOGS_MAX);
    cr_expect_eq(counter_values[COUNTER_LOGS] - before, 2,
                 "for the two broadcast logs before them");
    cr_expect_eq(logs_of_others(&shared, alice)->len, 0);
    identity_unref(alice);
}

Test(logs, of_others_are_not_looked_for_in_a_file_that_names_very_many)
{
    struct identity *alice;

    read_many(LOGS_OF_OTHERS_MAX);
    alice = identity_from("alice", "none");
    cr_expect_eq(logs_of_others(&shared, alice)->len, LOGS_MAX);
    read_many(LOGS_OF_OTHERS_MAX + 1);
    cr_expect_eq(logs_of_others(&shared, alice)->len, 0);
    identity_unref(alice);
}
