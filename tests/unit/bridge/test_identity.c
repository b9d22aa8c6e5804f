/* identity, roles, pattern: who may what, and what the roles file may say. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity/identity.h"
#include "identity/pattern.h"

static struct notify_str z(const char *text)
{
    return notify_str_z(text);
}

Test(pattern, a_star_is_anything_and_the_users_id_is_itself)
{
    static const struct {
        const char *pattern, *user, *name;
        bool fits;
    } cases[] = {
        {"news", "u", "news", true},
        {"news", "u", "new", false},
        {"news", "u", "newsx", false},
        {"*", "u", "", true},
        {"*", "u", "anything", true},
        {"run:*", "u", "run:", true},
        {"run:*", "u", "run:7", true},
        {"run:*", "u", "xrun:7", false},
        {"*:7", "u", "run:7", true},
        {"*:7", "u", "a:7:8", false},
        {"a*b*c", "u", "aXbYbZc", true},
        {"a*b*c", "u", "aXcYb", false},
        {"**", "u", "x", true},
        {"{user}", "alice", "alice", true},
        {"{user}", "alice", "bob", false},
        {"team:{user}:*", "al", "team:al:1", true},
        {"team:{user}:*", "al", "team:alx:1", false},
        {"{user}", "*", "bob", false},
        {"{user}", "*", "*", true},
        {"{user}:x", "a*", "abc:x", false},
        {"*{user}", "ab", "aab", true},
        {"{users}", "u", "{users}", true},
        {"", "u", "", true},
        {"", "u", "x", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(pattern_fits(z(cases[i].pattern), z(cases[i].user), z(cases[i].name)),
                     cases[i].fits, "%s of %s: %s", cases[i].pattern, cases[i].user, cases[i].name);
}

/* By the definition, without cleverness. */
static bool fits_slowly(const char *pattern, const char *name)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (*pattern == '*')
        return fits_slowly(pattern + 1, name) || (*name != '\0' && fits_slowly(pattern, name + 1));
    return *pattern == *name && fits_slowly(pattern + 1, name + 1);
}

Test(pattern, it_fits_what_its_definition_fits)
{
    char pattern[8], name[10];

    srand(11);
    for (int round = 0; round < 300000; round++) {
        int pattern_len = rand() % 8, name_len = rand() % 10;

        for (int i = 0; i < pattern_len; i++)
            pattern[i] = "ab*"[rand() % 3];
        for (int i = 0; i < name_len; i++)
            name[i] = "ab"[rand() % 2];
        pattern[pattern_len] = name[name_len] = '\0';
        cr_assert_eq(pattern_fits(z(pattern), z("u"), z(name)), fits_slowly(pattern, name),
                     "%s: %s", pattern, name);
    }
}

static const char book_text[] = "# who may what\n"
                                "role *\n"
                                "  categories system\n"
                                "  follow news team:{user}\n"
                                "  subscribe news team:{user}   # their own team\n"
                                "\r\n"
                                "role admin\n"
                                "  categories security *.audit\n"
                                "  permitted maintenance\n"
                                "  publish *\n"
                                "  kick *";

static struct identity *identity_from(const char *claims, const struct roles *book,
                                      const char **ret_why)
{
    json_t *json = json_loads(claims, 0, NULL);
    struct identity *identity = identity_of_claims(json, 1000, book, ret_why);

    cr_assert_not_null(json);
    json_decref(json);
    return identity;
}

static bool may(const struct identity *identity, enum right right, const char *name)
{
    return identity_may(identity, right, z(name));
}

Test(identity, roles_of_the_token_and_everybodys_add_up)
{
    struct roles book = {.by_category = true};
    char error[ROLES_ERROR_MAX];
    const char *why;
    struct identity *user, *admin;

    cr_assert_eq(roles_read(&book, z(book_text), error), 0, "%s", error);
    user = identity_from("{\"sub\":\"al\",\"topics\":[\"mine:*\"]}", &book, &why);
    admin = identity_from("{\"sub\":\"bo\",\"roles\":[\"nobody\",\"admin\"]}", &book, &why);
    cr_expect(may(user, RIGHT_CATEGORIES, "system"));
    cr_expect_not(may(user, RIGHT_CATEGORIES, "security"));
    cr_expect(may(user, RIGHT_SUBSCRIBE, "team:al"));
    cr_expect_not(may(user, RIGHT_SUBSCRIBE, "team:bo"));
    cr_expect(may(user, RIGHT_SUBSCRIBE, "mine:7"));
    cr_expect_not(may(user, RIGHT_PUBLISH, "mine:7"));
    cr_expect(may(admin, RIGHT_CATEGORIES, "x.audit") && may(admin, RIGHT_CATEGORIES, "system"));
    cr_expect(may(admin, RIGHT_PERMITTED, "maintenance") && may(admin, RIGHT_PUBLISH, "anything"));
    cr_expect_not(may(admin, RIGHT_PRESENCE, "al"));
    cr_expect(identity_filters(user));
    identity_unref(user);
    identity_unref(admin);
    roles_release(&book);
}

/* Where a name stands for others: a user who is called like a pattern has no more for that. */
Test(identity, a_star_in_a_users_id_stands_for_nobody_else)
{
    static const char text[] = "role *\npresence {user} a*\nchannels my:{user} all:{user}:*\n";
    static const struct {
        const char *user;
        enum right right;
        const char *names;
        bool all;
    } cases[] = {
        {"{\"sub\":\"*\"}", RIGHT_PRESENCE, "*", false},
        {"{\"sub\":\"*\"}", RIGHT_PRESENCE, "a*", true},
        {"{\"sub\":\"*\"}", RIGHT_CHANNELS, "my:*", false},
        {"{\"sub\":\"al*\"}", RIGHT_CHANNELS, "my:al*", false},
        {"{\"sub\":\"*\"}", RIGHT_CHANNELS, "all:*:x*", false},
        {"{\"sub\":\"al\"}", RIGHT_CHANNELS, "all:al:x*", true},
        {"{\"sub\":\"al\"}", RIGHT_CHANNELS, "my:al", true},
        {"{\"sub\":\"al\"}", RIGHT_CHANNELS, "my:al*", false},
    };
    struct roles book = {.by_category = true};
    char error[ROLES_ERROR_MAX];
    const char *why;

    cr_assert_eq(roles_read(&book, z(text), error), 0, "%s", error);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct identity *identity = identity_from(cases[i].user, &book, &why);
        cr_expect_eq(identity_may_all(identity, cases[i].right, z(cases[i].names)), cases[i].all,
                     "%s: %s", cases[i].user, cases[i].names);
        identity_unref(identity);
    }
    roles_release(&book);
}

Test(identity, claims_add_to_their_own_right_and_to_no_other)
{
    struct roles book = {.len = 0};
    char error[ROLES_ERROR_MAX];
    const char *why;
    struct identity *user;

    cr_assert_eq(roles_read(&book, z("role *\n"), error), 0, "%s", error);
    user =
        identity_from("{\"sub\":\"al\",\"topics\":[\"t:*\"],\"publish\":[\"p:*\"]}", &book, &why);
    for (enum right right = 0; right < RIGHT_COUNT; right++) {
        cr_expect_eq(may(user, right, "t:1"), right == RIGHT_SUBSCRIBE, "%s", right_word(right));
        cr_expect_eq(may(user, right, "p:1"), right == RIGHT_PUBLISH, "%s", right_word(right));
    }
    identity_unref(user);
    roles_release(&book);
}

Test(identity, a_changed_file_counts_at_once)
{
    struct roles book = {.len = 0};
    char error[ROLES_ERROR_MAX];
    const char *why;
    struct identity *admin = identity_from("{\"sub\":\"bo\",\"roles\":[\"admin\"]}", &book, &why);

    cr_expect_not(may(admin, RIGHT_PUBLISH, "x"));
    cr_assert_eq(roles_read(&book, z(book_text), error), 0);
    cr_expect(may(admin, RIGHT_PUBLISH, "x"));
    cr_assert_eq(roles_read(&book, z("role admin\nsubscribes x"), error), -EINVAL);
    cr_expect(may(admin, RIGHT_PUBLISH, "x"), "a file that is wrong changes nothing");
    cr_assert_eq(roles_read(&book, z("role admin\n"), error), 0);
    cr_expect_not(may(admin, RIGHT_PUBLISH, "x"));
    identity_unref(admin);
    roles_release(&book);
}

Test(identity, without_a_token_there_is_one_role_and_with_auth_none_everything)
{
    struct roles book = {.len = 0};
    char error[ROLES_ERROR_MAX];
    struct identity *guest, *open;

    cr_assert_eq(roles_read(&book, z("role guest\n subscribe public:*\n"), error), 0);
    guest = identity_anonymous(z("x1"), "guest", &book);
    open = identity_open(z("alice"));
    cr_expect(may(guest, RIGHT_SUBSCRIBE, "public:1"));
    cr_expect_not(may(guest, RIGHT_SUBSCRIBE, "private"));
    cr_expect(may(open, RIGHT_KICK, "bob"));
    cr_expect_not(identity_filters(open));
    cr_expect(notify_str_eq(identity_user(open), z("alice")));
    identity_unref(identity_ref(guest));
    identity_unref(guest);
    identity_unref(open);
    roles_release(&book);
}

static void collect(void *ctx, struct notify_str name)
{
    strncat(ctx, name.ptr, name.len);
    strcat(ctx, ";");
}

Test(identity, what_is_followed_at_once_has_the_users_id_put_in)
{
    struct roles book = {.len = 0};
    char error[ROLES_ERROR_MAX], names[256] = "";
    const char *why;
    struct identity *admin;

    cr_assert_eq(roles_read(&book, z(book_text), error), 0);
    admin = identity_from("{\"sub\":\"bo\",\"roles\":[\"admin\"]}", &book, &why);
    identity_each(admin, RIGHT_FOLLOW, false, collect, names);
    cr_expect_str_eq(names, "news;team:bo;");
    names[0] = '\0';
    identity_each(admin, RIGHT_CATEGORIES, true, collect, names);
    cr_expect_str_eq(names, "system;security;*.audit;");
    identity_unref(admin);
    names[0] = '\0';
    admin = identity_from("{\"sub\":\"bo\",\"roles\":[]}", &book, &why);
    identity_each_of_book(admin, RIGHT_FOLLOW, 2, collect, names);
    cr_expect_str_eq(names, "news;team:bo;", "whoever has it");
    identity_each_of_book(admin, RIGHT_FOLLOW, 1, collect, names);
    cr_expect_str_eq(names, "news;team:bo;", "none of a file with more than that");
    identity_unref(admin);
    roles_release(&book);
}

Test(identity, malformed_claims_are_refused)
{
    static const char *const bad[] = {
        "{\"sub\":\"\"}",
        "{\"sub\":7}",
        "{\"sub\":\"a\\u0007\"}",
        "{\"sub\":\"a\",\"roles\":\"admin\"}",
        "{\"sub\":\"a\",\"roles\":[1]}",
        "{\"sub\":\"a\",\"roles\":[\"\"]}",
        "{\"sub\":\"a\",\"topics\":{}}",
        "{\"sub\":\"a\",\"publish\":[null]}",
    };
    char many[2000] = "{\"sub\":\"a\",\"roles\":[\"r\"";
    const char *why;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_null(identity_from(bad[i], NULL, &why), "%s", bad[i]);
        cr_expect_not_null(why);
    }
    for (int i = 0; i < IDENTITY_ROLES_MAX; i++)
        strcat(many, ",\"r\"");
    strcat(many, "]}");
    cr_expect_null(identity_from(many, NULL, &why));
}

Test(roles, an_error_names_its_line_and_changes_nothing)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"subscribe x\n", "line 1: it stands before the first role: subscribe"},
        {"role a\n\n# c\nsubcribe x\n", "line 4: there is no such word: subcribe"},
        {"role\n", "line 1: a role needs a name"},
        {"role a b\n", "line 1: a role's name is one word: b"},
        {"role a\nrole a\n", "line 2: this role is there already: a"},
        {"role a\nfollow x*\n", "line 2: what is followed at once is named without '*': x*"},
        {"", "there is no role in it"},
        {"\n# role a\n", "there is no role in it"},
    };
    struct roles book = {.len = 0};
    char error[ROLES_ERROR_MAX], big[PATTERN_MAX + 64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(roles_read(&book, z(cases[i].text), error), -EINVAL);
        cr_expect_str_eq(error, cases[i].error);
        cr_expect_eq(book.len, 0);
    }
    snprintf(big, sizeof(big), "role a\npublish %0*d", PATTERN_MAX + 1, 0);
    cr_expect_eq(roles_read(&book, z(big), error), -EINVAL);
    cr_expect_eq(roles_read(&book, notify_str_of("role a\0b", 8), error), -EINVAL);
    roles_release(&book);
}

/* What roles_read() says of line, then of so many words behind it. */
static int read_many(const char *line, const char *word, size_t count)
{
    static char text[ROLES_BYTES_MAX];
    struct roles book = {.len = 0};
    char error[ROLES_ERROR_MAX];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", line);
    int status;

    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%zu", word, i);
    status = roles_read(&book, z(text), error);
    roles_release(&book);
    return status;
}

Test(roles, there_are_so_many_of_each_and_no_more)
{
    cr_expect_eq(read_many("role a\npublish", " p", ROLE_PATTERNS_MAX), 0);
    cr_expect_eq(read_many("role a\npublish", " p", ROLE_PATTERNS_MAX + 1), -EINVAL);
    cr_expect_eq(read_many("", "\nrole r", ROLES_MAX), 0);
    cr_expect_eq(read_many("", "\nrole r", ROLES_MAX + 1), -EINVAL);
}

Test(identity, the_roles_of_a_token_can_be_told)
{
    char names[64] = "";
    const char *why;
    struct identity *identity = identity_from(
        "{\"sub\":\"a\",\"publish\":[\"p\"],\"roles\":[\"x\",\"*\",\"y\"],\"topics\":[\"t\"]}",
        NULL, &why);

    identity_each_role(identity, collect, names);
    cr_expect_str_eq(names, "x;y;");
    cr_expect(may(identity, RIGHT_SUBSCRIBE, "t") && may(identity, RIGHT_PUBLISH, "p"));
    cr_expect_not(may(identity, RIGHT_SUBSCRIBE, "p") || may(identity, RIGHT_PUBLISH, "t") ||
                  may(identity, RIGHT_SUBSCRIBE, "x"));
    identity_unref(identity);
}
