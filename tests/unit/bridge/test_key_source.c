/* key_source: where keys come from, and what stays when they do not come. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/log.h"
#include "identity/key_source.h"
#include "loop_testing.h"

#define SECRET "a secret of at least thirty-two bytes"
#define JWK                                                                                        \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","      \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define SET(kid) "{\"keys\":[{" JWK ",\"kid\":\"" kid "\"}]}"
#define HOUR_MS UINT64_C(3600000)

/* An address that answers when the test says so. */
struct address {
    unsigned started;
    key_document_fn done; /* while a fetch is under way */
    void *ctx;
};

static int start(void *fetcher, key_document_fn done, void *ctx)
{
    struct address *address = fetcher;

    cr_assert_null(address->done, "one at a time");
    address->started++;
    address->done = done;
    address->ctx = ctx;
    return 0;
}

static void answer(struct address *address, const char *error, const char *body, uint64_t max_age_s)
{
    struct key_document document = {error, notify_str_z(body), max_age_s};
    key_document_fn done = address->done;

    cr_assert_not_null(done);
    address->done = NULL;
    done(address->ctx, &document);
}

static struct key_source *source_of(const char *const *secrets, const char *file,
                                    struct address *address)
{
    struct key_fetch fetch = {start, address};
    struct key_source_config config = {.secrets = secrets,
                                       .file = file,
                                       .fetch = address == NULL ? NULL : &fetch,
                                       .max_stale_ms = 24 * HOUR_MS};
    const char *why;
    struct key_source *source = key_source_new(LOOP_TESTING, &config, &why);

    log_setup(LOG_ERROR, LOG_LOGFMT);
    loop_testing_advance(1); /* the first fetch */
    return source;
}

static bool has(const struct key_source *source, const char *kid)
{
    return key_source_keys(source) != NULL &&
           jwt_keys_has(key_source_keys(source), notify_str_z(kid));
}

static void write_file(const char *path, const char *text)
{
    char fresh[128];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "w");
    fputs(text, file);
    fclose(file);
    cr_assert_eq(rename(fresh, path), 0);
}

Test(key_source, a_changed_file_is_read_and_a_bad_one_keeps_what_was)
{
    char dir[] = P_tmpdir "/test_key_source.XXXXXX", path[64];
    struct key_source *source;

    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/keys", dir);
    cr_expect_null(source_of(NULL, path, NULL), "a file that is not there");
    write_file(path, "nothing");
    cr_expect_null(source_of(NULL, path, NULL), "a file without keys");
    write_file(path, " \n" SET("a"));
    source = source_of(NULL, path, NULL);
    cr_assert(has(source, "a"));
    write_file(path, SET("b"));
    key_source_check_file(source);
    cr_expect(has(source, "b") && !has(source, "a"));
    write_file(path, "{\"keys\":[");
    key_source_check_file(source);
    cr_expect(has(source, "b"), "half written");
    unlink(path);
    key_source_check_file(source);
    cr_expect(has(source, "b"), "gone");
    write_file(path, SET("c"));
    key_source_check_file(source);
    cr_expect(has(source, "c"));
    key_source_free(source);
    unlink(path);
    rmdir(dir);
}

Test(key_source, secrets_are_there_at_once_and_short_ones_never)
{
    static const char *const secrets[] = {SECRET, SECRET "2", NULL}, *const bad[] = {"short", NULL};
    struct key_source *source = source_of(secrets, NULL, NULL);

    cr_assert_eq(jwt_keys_count(key_source_keys(source)), 2);
    key_source_free(source);
    cr_expect_null(source_of(bad, NULL, NULL));
}

Test(key_source, an_address_is_asked_again_when_its_answer_is_old)
{
    struct address address = {0};
    struct key_source *source = source_of(NULL, NULL, &address);

    cr_assert_eq(address.started, 1);
    cr_assert_null(key_source_keys(source));
    answer(&address, NULL, SET("a"), 1);
    cr_assert(has(source, "a"));
    loop_testing_advance(59000);
    cr_assert_eq(address.started, 1, "not within a minute");
    loop_testing_advance(2000);
    cr_assert_eq(address.started, 2);
    answer(&address, NULL, SET("b"), UINT64_MAX);
    cr_expect(has(source, "b") && !has(source, "a"));
    loop_testing_advance(HOUR_MS - 2);
    cr_assert_eq(address.started, 2);
    loop_testing_advance(2);
    cr_assert_eq(address.started, 3);
    key_source_free(source);
}

Test(key_source, failures_keep_what_was_for_a_day_and_are_tried_again_more_and_more_seldom)
{
    struct address address = {0};
    struct key_source *source = source_of(NULL, NULL, &address);
    unsigned before;

    answer(&address, NULL, SET("a"), 60);
    loop_testing_advance(60000);
    answer(&address, "refused", "", 0);
    loop_testing_advance(1000);
    answer(&address, NULL, "{}", 0);
    cr_expect(has(source, "a"));
    before = address.started;
    loop_testing_advance(1999);
    cr_expect_eq(address.started, before);
    loop_testing_advance(1);
    cr_expect_eq(address.started, before + 1);
    for (uint64_t ms = 0; ms < 23 * HOUR_MS; ms += 60000) {
        if (address.done != NULL)
            answer(&address, "refused", "", 0);
        loop_testing_advance(60000);
    }
    cr_expect(has(source, "a"));
    for (uint64_t ms = 0; ms < 2 * HOUR_MS; ms += 60000) {
        if (address.done != NULL)
            answer(&address, "refused", "", 0);
        loop_testing_advance(60000);
    }
    cr_expect_null(key_source_keys(source), "dropped after a day");
    answer(&address, NULL, SET("b"), 60);
    cr_expect(has(source, "b"));
    key_source_free(source);
}

static void count(void *ctx)
{
    ++*(unsigned *)ctx;
}

Test(key_source, tokens_with_an_unknown_key_wait_for_one_fetch_a_minute)
{
    struct address address = {0};
    struct key_source *source = source_of(NULL, NULL, &address);
    struct key_wait waits[KEY_WAITS_MAX + 1];
    unsigned calls = 0;

    for (size_t i = 0; i <= KEY_WAITS_MAX; i++)
        waits[i] = (struct key_wait){.fn = count, .ctx = &calls};
    answer(&address, NULL, SET("a"), UINT64_MAX);
    cr_assert_eq(key_source_wait(source, &waits[0]), KEY_WAITING);
    cr_assert_eq(address.started, 2);
    for (size_t i = 1; i < KEY_WAITS_MAX; i++)
        cr_assert_eq(key_source_wait(source, &waits[i]), KEY_WAITING);
    cr_assert_eq(key_source_wait(source, &waits[KEY_WAITS_MAX]), KEY_WAIT_CROWDED);
    cr_assert_eq(counter_values[COUNTER_KEYS_AWAITED], 1);
    key_source_wait_cancel(source, &waits[3]);
    answer(&address, NULL, SET("b"), UINT64_MAX);
    cr_assert_eq(calls, KEY_WAITS_MAX - 1);
    cr_assert_eq(key_source_wait(source, &waits[0]), KEY_WAIT_IN_VAIN, "asked a moment ago");
    loop_testing_advance(60000);
    cr_assert_eq(key_source_wait(source, &waits[0]), KEY_WAITING);
    loop_testing_advance(KEY_WAIT_MS - 1);
    cr_assert_eq(calls, KEY_WAITS_MAX - 1);
    loop_testing_advance(1);
    cr_assert_eq(calls, KEY_WAITS_MAX, "the address is silent");
    key_source_free(source);
}

Test(key_source, without_an_address_there_is_nothing_to_wait_for)
{
    static const char *const secrets[] = {SECRET, NULL};
    struct key_source *source = source_of(secrets, NULL, NULL);
    struct key_wait wait = {.fn = count};

    cr_expect_eq(key_source_wait(source, &wait), KEY_WAIT_IN_VAIN);
    key_source_free(source);
}
