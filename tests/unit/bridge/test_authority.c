/* authority: whom to believe, and what becomes of that when its files change. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64url.h"
#include "base/log.h"
#include "identity/authority.h"
#include "loop_testing.h"

#define SECRET "a secret of at least thirty-two bytes"
#define ROLES                                                                                      \
    "role *\n  subscribe news\nrole admin\n  categories security\n  subscribe ops:*\n"             \
    "role guest\n  subscribe news\n"

static char folder[] = P_tmpdir "/test_authority.XXXXXX";
static char roles_file[sizeof(folder) + 16];
static unsigned told_keys, told_rights;

static void on_keys(void *ctx)
{
    (void)ctx;
    told_keys++;
}

static void on_rights(void *ctx)
{
    (void)ctx;
    told_rights++;
}

static void write_roles(const char *text)
{
    char fresh[sizeof(roles_file) + 4];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", roles_file);
    file = fopen(fresh, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    cr_assert_eq(rename(fresh, roles_file), 0);
}

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(roles_file, sizeof(roles_file), "%s/roles", folder);
    write_roles(ROLES);
    log_setup(LOG_ERROR, LOG_LOGFMT);
}

static void remove_folder(void)
{
    (void)unlink(roles_file);
    (void)rmdir(folder);
}

static const char *const secrets[] = {SECRET, NULL}, *const audiences[] = {"us", NULL};

static struct authority_config strict(void)
{
    return (struct authority_config){.keys = {.secrets = secrets},
                                     .issuer = "issuer",
                                     .audiences = audiences,
                                     .max_token_bytes = 2000,
                                     .leeway_ms = 30000,
                                     .roles_file = roles_file,
                                     .on_keys = on_keys,
                                     .on_rights = on_rights};
}

static struct authority *made(const struct authority_config *config)
{
    char error[AUTHORITY_ERROR_MAX] = "";
    struct authority *authority = authority_new(LOOP_TESTING, config, error);

    cr_assert_not_null(authority, "%s", error);
    return authority;
}

/* A token of alice with more claims, each with a comma before it. */
static struct notify_str token_with(long long exp_s, const char *more)
{
    static char token[4096];
    char payload[2048];
    unsigned char mac[32];
    unsigned mac_len;
    size_t len = base64url_encode(token, "{\"alg\":\"HS256\"}", 15);
    int n = snprintf(payload, sizeof(payload), "{\"sub\":\"alice\",\"exp\":%lld%s}", exp_s, more);

    token[len++] = '.';
    len += base64url_encode(token + len, payload, (size_t)n);
    HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (unsigned char *)token, len, mac, &mac_len);
    token[len++] = '.';
    len += base64url_encode(token + len, mac, mac_len);
    return notify_str_of(token, len);
}

#define FOR_US ",\"iss\":\"issuer\",\"aud\":\"us\""

static long long in_s(long long seconds)
{
    return (long long)(loop_wall_ms(NULL) / 1000) + seconds;
}

static enum verdict judge(struct authority *authority, struct notify_str token,
                          struct identity **ret)
{
    const char *why = NULL;
    enum verdict verdict;

    *ret = NULL;
    verdict = authority_judge(authority, token, ret, &why);
    cr_expect_eq(verdict == VERDICT_GOOD, *ret != NULL);
    cr_expect(verdict == VERDICT_GOOD || why != NULL, "it is told why");
    return verdict;
}

static enum verdict verdict_on(struct authority *authority, struct notify_str token)
{
    struct identity *identity;
    enum verdict verdict = judge(authority, token, &identity);

    identity_unref(identity);
    return verdict;
}

static bool may(const struct identity *identity, enum right right, const char *name)
{
    return identity_may(identity, right, notify_str_z(name));
}

TestSuite(authority, .init = make_folder, .fini = remove_folder);

Test(authority, a_good_token_is_somebody_and_every_other_is_nobody)
{
    struct authority_config config = strict();
    struct authority *authority = made(&config);
    struct identity *alice;

    cr_assert(authority_is_ready(authority));
    cr_assert_eq(judge(authority, token_with(in_s(60), FOR_US), &alice), VERDICT_GOOD);
    cr_expect(notify_str_eq(identity_user(alice), NOTIFY_STR("alice")));
    cr_expect_eq(authority_end_ms(authority, alice), (uint64_t)in_s(60) * 1000 + 30000);
    identity_unref(alice);
    cr_expect_eq(verdict_on(authority, token_with(in_s(-31), FOR_US)), VERDICT_BAD);
    cr_expect_eq(verdict_on(authority, token_with(in_s(60), ",\"iss\":\"issuer\"")), VERDICT_BAD);
    cr_expect_eq(verdict_on(authority, token_with(in_s(60), ",\"aud\":\"us\"")), VERDICT_BAD);
    cr_expect_eq(verdict_on(authority, token_with(in_s(60), FOR_US ",\"roles\":\"admin\"")),
                 VERDICT_BAD, "a claim of the wrong kind");
    cr_expect_eq(verdict_on(authority, NOTIFY_STR("")), VERDICT_BAD);
    cr_expect_eq(verdict_on(authority, NOTIFY_STR("a.b.c")), VERDICT_BAD);
    authority_free(authority);
}

Test(authority, what_a_role_may_no_more_ends_with_the_file_for_those_who_are_there)
{
    struct authority_config config = strict();
    struct authority *authority = made(&config);
    struct identity *alice;

    cr_assert_eq(judge(authority, token_with(in_s(60), FOR_US ",\"roles\":[\"admin\"]"), &alice),
                 VERDICT_GOOD);
    cr_expect(may(alice, RIGHT_SUBSCRIBE, "ops:1") && may(alice, RIGHT_CATEGORIES, "security"));
    write_roles("role *\n  subscribe news\nrole admin\n  subscribe other\n");
    cr_expect(may(alice, RIGHT_SUBSCRIBE, "ops:1"), "it has not been looked at yet");
    authority_check_files(authority);
    cr_expect_eq(told_rights, 1);
    cr_expect_not(may(alice, RIGHT_SUBSCRIBE, "ops:1"));
    cr_expect_not(may(alice, RIGHT_CATEGORIES, "security"));
    cr_expect(may(alice, RIGHT_SUBSCRIBE, "other") && may(alice, RIGHT_SUBSCRIBE, "news"));
    authority_check_files(authority);
    cr_expect_eq(told_rights, 1, "nothing has changed");
    identity_unref(alice);
    authority_free(authority);
}

Test(authority, a_file_of_roles_that_is_ruined_or_gone_changes_nothing)
{
    static const char *const ruins[] = {"", "role", "role *\n  everything *\n", "subscribe x\n"};
    struct authority_config config = strict();
    struct authority *authority = made(&config);
    struct identity *alice;

    cr_assert_eq(judge(authority, token_with(in_s(60), FOR_US), &alice), VERDICT_GOOD);
    for (size_t i = 0; i < sizeof(ruins) / sizeof(ruins[0]); i++) {
        write_roles(ruins[i]);
        authority_check_files(authority);
        cr_expect(may(alice, RIGHT_SUBSCRIBE, "news"), "%s", ruins[i]);
    }
    (void)unlink(roles_file);
    authority_check_files(authority);
    cr_expect(may(alice, RIGHT_SUBSCRIBE, "news"));
    cr_expect_eq(told_rights, 0);
    identity_unref(alice);
    authority_free(authority);
}

Test(authority, without_a_file_of_roles_ones_own_sessions_are_ones_own)
{
    struct authority_config config = strict();
    struct authority *authority;
    struct identity *alice;

    config.roles_file = NULL;
    authority = made(&config);
    cr_assert_eq(judge(authority, token_with(in_s(60), FOR_US ",\"topics\":[\"t:*\"]"), &alice),
                 VERDICT_GOOD);
    cr_expect(may(alice, RIGHT_KICK, "alice") && may(alice, RIGHT_PRESENCE, "alice"));
    cr_expect_not(may(alice, RIGHT_KICK, "bob") || may(alice, RIGHT_PRESENCE, "bob"));
    cr_expect(may(alice, RIGHT_SUBSCRIBE, "t:1") && !may(alice, RIGHT_SUBSCRIBE, "u"));
    cr_expect_not(identity_filters(alice));
    identity_unref(alice);
    authority_free(authority);
}

Test(authority, guests_are_let_in_with_one_role_and_never_twice_the_same)
{
    struct authority_config config = strict();
    struct authority *authority = made(&config);
    struct identity *one, *other;

    cr_expect_not(authority_has_guests(authority));
    authority_free(authority);
    config.anonymous_role = "guest";
    authority = made(&config);
    cr_assert(authority_has_guests(authority));
    one = authority_guest(authority);
    other = authority_guest(authority);
    cr_expect(one->anonymous && one->expires_ms == UINT64_MAX);
    cr_expect_not(notify_str_eq(identity_user(one), identity_user(other)));
    cr_expect(may(one, RIGHT_SUBSCRIBE, "news") && !may(one, RIGHT_SUBSCRIBE, "ops:1"));
    cr_expect_eq(authority_end_ms(authority, one), UINT64_MAX);
    identity_unref(one);
    identity_unref(other);
    authority_free(authority);
}

Test(authority, what_cannot_be_is_told_at_the_start)
{
    static const char *const short_secret[] = {"short", NULL};
    struct authority_config config = strict();
    char error[AUTHORITY_ERROR_MAX];

    config.anonymous_role = "nobody";
    cr_expect_null(authority_new(LOOP_TESTING, &config, error));
    cr_expect(strstr(error, "no such role") != NULL, "%s", error);
    config = strict();
    config.keys.secrets = short_secret;
    cr_expect_null(authority_new(LOOP_TESTING, &config, error));
    cr_expect(strstr(error, "jwt-secret") != NULL, "%s", error);
    config = strict();
    write_roles("role\n");
    cr_expect_null(authority_new(LOOP_TESTING, &config, error));
    cr_expect(strstr(error, roles_file) != NULL, "%s", error);
}

static int start(void *fetcher, key_document_fn done, void *ctx)
{
    *(key_document_fn *)fetcher = done;
    (void)ctx;
    return 0;
}

Test(authority, as_long_as_an_address_has_given_no_keys_nothing_can_be_judged)
{
    key_document_fn done = NULL;
    const struct key_fetch fetch = {start, &done};
    struct authority_config config = strict();
    struct authority *authority;

    config.keys = (struct key_source_config){.fetch = &fetch, .max_stale_ms = 1000};
    authority = made(&config);
    cr_expect_not(authority_is_ready(authority));
    cr_expect_eq(verdict_on(authority, token_with(in_s(60), FOR_US)), VERDICT_NO_KEYS);
    authority_free(authority);
}

Test(authority, an_open_one_is_ready_and_reads_no_file)
{
    struct authority_config config = {.open = true, .roles_file = "/nowhere"};
    struct authority *authority = made(&config);

    cr_expect(authority_is_open(authority) && authority_is_ready(authority));
    authority_check_files(authority);
    cr_expect_eq(told_rights + told_keys, 0);
    authority_free(authority);
}
