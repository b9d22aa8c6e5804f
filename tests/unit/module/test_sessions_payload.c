/* Payloads: what is saved comes back, and no bytes at all do harm. The fuzz target goes further;
 * the mutations here are few, always the same, and part of every test run.
 *
 * NOTIFY_PAYLOAD_ROUNDS sets the number of mutated payloads. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "mem_testing.h"
#include "random_testing.h"
#include "sessions_testing.h"

static struct text_buf saved;

static void setup(void)
{
    mem_testing_install(1);
    saved = TEXT_BUF_INIT;
    random_begin(7);
}

static void teardown(void)
{
    text_buf_release(&saved);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(sessions_payload, .init = setup, .fini = teardown);

static struct sessions *make_set(int count)
{
    struct sessions *set = sessions_new();
    char session[16], connection[16];

    for (int i = 0; i < count; i++) {
        struct sessions_connection c;
        snprintf(session, sizeof(session), "s%d", i / 3);
        snprintf(connection, sizeof(connection), "c%d", i);
        c = test_connection(session, connection, 1000 + (uint64_t)i);
        c.opened_ms = 900;
        if (i % 2 == 0)
            c.node = NOTIFY_STR("node \xc3\xa4");
        if (i % 3 == 0)
            c.addr = NOTIFY_STR("::1");
        if (i % 4 == 0)
            c.meta = NOTIFY_STR("{\"agent\":\"x\",\"n\":[1,2]}");
        cr_assert_eq(sessions_put(&set, &c), 0);
    }
    sessions_set_rev(set, UINT64_MAX);
    return set;
}

static struct sessions *load(struct notify_str payload)
{
    const char *why = NULL;
    struct sessions *set = sessions_load(payload, &why);

    cr_assert((set == NULL) == (why != NULL));
    return set;
}

Test(sessions_payload, what_is_saved_comes_back)
{
    static const int counts[] = {1, 2, 30, LIMIT_CONNECTIONS};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct sessions *set = make_set(counts[i]);
        struct sessions *loaded;
        text_buf_clear(&saved);
        sessions_save(set, &saved);
        cr_assert_not(saved.failed);
        loaded = load(text_buf_str(&saved));
        cr_assert_not_null(loaded);
        cr_assert(sessions_verify(loaded));
        cr_assert(test_sessions_equal(set, loaded));
        sessions_free(loaded);
        sessions_free(set);
    }
}

#define ROW(text)                                                                                  \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
#define ONE "\x09\x01\x01s\x01" /* lease, opened, session; the connection's id follows */
#define REST "\x00\x00\x00"

Test(sessions_payload, payloads_that_the_module_would_not_write_are_refused)
{
    static const struct notify_str rows[] = {
        ROW(""),
        ROW("\x03\x07\x01" ONE "c" REST "\x00"), /* version */
        ROW("\x02\x07\x01" ONE "c" REST),        /* number of sections missing */
        ROW("\x02\x07\x01" ONE "c" REST "\x00"),
        ROW("\x02\x07\x01" ONE "c" REST "\x01\x63\x00\x01x"),  /* not to be skipped */
        ROW("\x02\x07\x01" ONE "c" REST "\x01\x63\x01\x02x"),  /* cut short */
        ROW("\x02\x07\x01" ONE "c" REST "\x01\x63\x01\x01xy"), /* left over */
        ROW("\x01\x07\x00"),                                   /* an empty set */
        ROW("\x01\x07\x02" ONE "c" REST),                      /* fewer than it says */
        ROW("\x01\x07\x01" ONE "c" REST "x"),                  /* bytes left over */
        ROW("\x01\x07\x01" ONE "c"
            "\x00\x00"),                      /* cut short */
        ROW("\x01\x07\x91\x4e" ONE "c" REST), /* 10001 connections */
        ROW("\x01\x07\x01\x00\x01\x01s\x01"
            "c" REST), /* lease 0 */
        ROW("\x01\x07\x01\x09\x01\x01*\x01"
            "c" REST),                                 /* a session for all */
        ROW("\x01\x07\x01\x09\x01\x01s\x01\xff" REST), /* not UTF-8 */
        ROW("\x01\x07\x01" ONE "c"
            "\x00\x00\x01{"),                          /* not JSON */
        ROW("\x01\x07\x02" ONE "c" REST ONE "c" REST), /* twice */
        ROW("\x01\x07\x03" ONE "c" REST "\x09\x01\x01t\x01"
            "d" REST ONE "e" REST), /* apart */
    };
    struct sessions *set = load(NOTIFY_STR("\x01\x07\x01" ONE "c" REST));

    cr_assert_not_null(set, "the rows differ in one place from one that is accepted");
    sessions_free(set);
    set = load(NOTIFY_STR("\x01\x07\x02" ONE "c" REST "\x09\x01\x01t\x01"
                          "d" REST));
    cr_assert_not_null(set);
    sessions_free(set);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_null(load(rows[i]), "row %zu", i);
}

Test(sessions_payload, sections_of_a_later_version_are_passed_over_if_they_may_be)
{
    struct sessions *set =
        load(NOTIFY_STR("\x02\x07\x01" ONE "c" REST "\x02\x63\x01\x02xy\x64\x01\x00"));

    cr_assert_not_null(set);
    cr_assert_eq(sessions_length(set), 1);
    sessions_free(set);
}

Test(sessions_payload, every_cut_of_a_payload_is_refused)
{
    struct sessions *set = make_set(5);

    sessions_save(set, &saved);
    for (size_t len = 0; len < saved.len; len++)
        cr_assert_null(load(notify_str_of(saved.ptr, len)), "%zu bytes", len);
    sessions_free(set);
}

/* What was accepted is sound, and saves to the bytes that it came from, but for what was skipped.
 */
static void check_loaded(const struct sessions *set, struct notify_str payload)
{
    text_buf_clear(&saved);
    cr_assert(sessions_verify(set));
    sessions_save(set, &saved);
    cr_assert(notify_str_eq(text_buf_str(&saved), payload) || payload.ptr[0] != 1);
}

Test(sessions_payload, mutated_payloads_are_refused_or_make_a_sound_set, .timeout = 0)
{
    size_t rounds = setting("NOTIFY_PAYLOAD_ROUNDS", 40000);
    struct sessions *set = make_set(12);
    struct text_buf original = TEXT_BUF_INIT;
    size_t accepted = 0;

    sessions_save(set, &original);
    for (size_t round = 0; round < rounds; round++) {
        char *bytes = malloc(original.len);
        struct sessions *loaded;
        size_t len;
        memcpy(bytes, original.ptr, original.len);
        len = random_spoil(bytes, original.len, 3);
        loaded = load(notify_str_of(bytes, len));
        if (loaded != NULL) {
            accepted++;
            check_loaded(loaded, notify_str_of(bytes, len));
        }
        sessions_free(loaded);
        free(bytes);
    }
    cr_assert_gt(accepted, 100, "some mutations are harmless");
    cr_assert_lt(accepted, rounds - 100);
    sessions_free(set);
    text_buf_release(&original);
}

Test(sessions_payload, loading_without_memory_leaves_nothing_behind)
{
    struct sessions *set = make_set(20), *loaded = NULL;
    long failing = 1;

    sessions_save(set, &saved);
    for (; loaded == NULL && failing < 1000; failing++) {
        mem_testing_fail_at(failing);
        loaded = load(text_buf_str(&saved));
    }
    cr_assert_gt(failing, 2, "the first requests have failed");
    mem_testing_fail_at(0);
    cr_assert(test_sessions_equal(set, loaded));
    sessions_free(loaded);
    sessions_free(set);
}
