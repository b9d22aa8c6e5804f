/* categories: what a client gets of logs by its roles, by what it joins and leaves, and that all
 * who get the same share one filter. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/counters.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "conn_testing.h"
#include "identity/identity.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "wire/filter.h"

static const char book_text[] = "role *\n categories system\n permitted maintenance mine:{user}:*\n"
                                "role admin\n categories *\n"
                                "role own\n categories {user}\n";

static struct roles book;
static struct category_filters filters;
static struct client_shared shared;

static void setup(void)
{
    char error[ROLES_ERROR_MAX];

    shared = (struct client_shared){.senders = {.loop = LOOP_TESTING}, .filters = &filters};
    book.by_category = true;
    cr_assert_eq(roles_read(&book, notify_str_z(book_text), error), 0, "%s", error);
}

static void teardown(void)
{
    cr_assert_null(filters.root, "every filter has gone with its last client");
    roles_release(&book);
}

TestSuite(categories, .init = setup, .fini = teardown);

static struct identity *identity_from(const char *user, const char *role)
{
    json_t *claims = json_pack("{s:s, s:[s]}", "sub", user, "roles", role);
    const char *why;
    struct identity *identity = identity_of_claims(claims, 1, &book, &why);

    json_decref(claims);
    return identity;
}

static struct client *client_of(const char *user, const char *role)
{
    struct client *client = calloc(1, sizeof(*client));

    cr_assert_not_null(client);
    client->shared = &shared;
    client->sender.shared = &shared.senders;
    client->identity = identity_from(user, role);
    cr_assert(categories_apply(client));
    return client;
}

static void leave(struct client *client)
{
    categories_forget(client);
    client->filter = filter_unref(client->filter);
    identity_unref(client->identity);
    free(client);
}

static bool gets(const struct client *client, const char *category)
{
    return client->filter == NULL || client->filter->passes(client->filter, notify_str_z(category));
}

static enum category_answer join(struct client *client, const char *category)
{
    return categories_join(client, notify_str_z(category));
}

static enum category_answer give_up(struct client *client, const char *category)
{
    return categories_leave(client, notify_str_z(category));
}

Test(categories, what_has_none_is_for_everybody_and_the_rest_is_chosen_by_roles)
{
    struct client *user = client_of("u", "user"), *admin = client_of("a", "admin");

    cr_expect(gets(user, "") && gets(user, "system") && !gets(user, "security"));
    cr_expect_not(gets(user, "maintenance"), "it must be joined");
    cr_expect_null(admin->filter, "who gets everything needs no filter");
    leave(user);
    leave(admin);
}

Test(categories, joining_adds_and_leaving_takes_away_and_neither_does_more)
{
    struct client *user = client_of("u", "user"), *admin = client_of("a", "admin");

    cr_expect_eq(join(user, "maintenance"), CATEGORY_DONE);
    cr_expect_eq(join(user, "mine:u:7"), CATEGORY_DONE);
    cr_expect_eq(join(user, "mine:x:7"), CATEGORY_FORBIDDEN);
    cr_expect_eq(join(user, "security"), CATEGORY_FORBIDDEN);
    cr_expect(gets(user, "system") && gets(user, "maintenance") && gets(user, "mine:u:7"));
    cr_expect_not(gets(user, "security") || gets(user, "mine:u:8"));
    cr_expect_eq(give_up(user, "system"), CATEGORY_DONE);
    cr_expect_eq(give_up(user, "maintenance"), CATEGORY_DONE);
    cr_expect_not(gets(user, "system") || gets(user, "maintenance"));
    cr_expect(gets(user, ""));
    cr_expect_eq(join(user, "system"), CATEGORY_DONE);
    cr_expect(gets(user, "system"));
    cr_expect_eq(give_up(admin, "noise"), CATEGORY_DONE);
    cr_expect(gets(admin, "security") && !gets(admin, "noise"));
    cr_expect_eq(join(admin, "noise"), CATEGORY_DONE);
    cr_expect(gets(admin, "noise"));
    leave(user);
    leave(admin);
}

Test(categories, those_who_get_the_same_share_one_filter)
{
    struct client *a = client_of("a", "user"), *b = client_of("b", "user");

    cr_expect_eq(a->filter, b->filter);
    cr_expect_eq(join(a, "maintenance"), CATEGORY_DONE);
    cr_expect_neq(a->filter, b->filter);
    cr_expect_eq(join(b, "maintenance"), CATEGORY_DONE);
    cr_expect_eq(a->filter, b->filter);
    cr_expect_eq(give_up(a, "maintenance"), CATEGORY_DONE);
    cr_expect_eq(give_up(b, "maintenance"), CATEGORY_DONE);
    cr_expect_eq(a->filter, b->filter);
    leave(a);
    leave(b);
}

Test(categories, a_users_id_is_no_pattern)
{
    struct client *star = client_of("*", "own"), *other = client_of("other", "own");

    cr_expect(gets(star, "*") && !gets(star, "security") && !gets(star, "other"));
    cr_expect(gets(other, "other") && !gets(other, "*"));
    leave(star);
    leave(other);
}

Test(categories, what_is_permitted_no_more_is_forgotten)
{
    struct client *user = client_of("u", "user");
    char error[ROLES_ERROR_MAX];

    cr_expect_eq(join(user, "maintenance"), CATEGORY_DONE);
    cr_assert_eq(roles_read(&book, NOTIFY_STR("role *\n categories system\n"), error), 0);
    cr_assert(categories_apply(user));
    cr_expect_not(gets(user, "maintenance"));
    cr_assert_eq(roles_read(&book, notify_str_z(book_text), error), 0);
    cr_assert(categories_apply(user));
    cr_expect_not(gets(user, "maintenance"), "nothing comes back by itself");
    leave(user);
}

Test(categories, one_client_chooses_so_many_and_no_more)
{
    struct client *admin = client_of("a", "admin");
    struct conn conn = {.out = NULL};
    uint64_t met = counter_values[COUNTER_CATEGORIES];
    char name[16];

    admin->sender.conn = &conn;
    for (int i = 0; i < CATEGORIES_CHOSEN_MAX; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        cr_assert_eq(give_up(admin, name), CATEGORY_DONE);
    }
    cr_expect_eq(give_up(admin, "one more"), CATEGORY_TOO_MANY);
    cr_expect(gets(admin, "one more") && !gets(admin, "c7"));
    cr_expect_eq(counter_values[COUNTER_CATEGORIES], met + 1);
    cr_expect_eq(join(admin, "c7"), CATEGORY_DONE, "what is chosen may be chosen otherwise");
    cr_expect(gets(admin, "c7"));
    leave(admin);
    conn_testing_release(&conn);
}
