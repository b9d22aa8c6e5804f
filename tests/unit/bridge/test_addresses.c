/* addresses: how many connections an address has, how often it may connect, what is remembered. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/log.h"
#include "loop_testing.h"
#include "net/addresses.h"
#include "random_testing.h"

static struct addresses *addresses;
static struct peer_network exempt[1];
static struct address *held[1024]; /* whose connections end with the test */
static size_t held_len;

static void set_up_with(size_t remembered)
{
    const struct address_limits limits = {.connections = 3,
                                          .attempts = {.per_s = 10, .burst = 5},
                                          .remembered = remembered,
                                          .exempt = {exempt, 1}};

    log_setup(LOG_ERROR, LOG_LOGFMT);
    cr_assert(peer_network_parse(NOTIFY_STR("127.0.0.0/8"), &exempt[0]));
    addresses = addresses_new(LOOP_TESTING, &limits);
    cr_assert_not_null(addresses);
}

static void set_up(void)
{
    set_up_with(1000);
}

static void tear_down(void)
{
    while (held_len > 0)
        address_release(held[--held_len]);
    addresses_free(addresses);
}

TestSuite(addresses, .init = set_up, .fini = tear_down);

static struct address *take(const char *text)
{
    struct peer_address addr = {.family = PEER_UNIX};

    if (strcmp(text, "unix") != 0)
        cr_assert(peer_address_parse(notify_str_z(text), &addr));
    return addresses_take(addresses, &addr);
}

/* The same for as long as the test lasts. */
static struct address *hold(const char *text)
{
    held[held_len] = take(text);
    return held[held_len++];
}

static struct address *take_number(unsigned n)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
    return take(text);
}

static void assert_text(const char *text, const char *expected)
{
    char out[ADDRESS_TEXT_MAX];

    cr_expect_str_eq(address_format(hold(text), out), expected);
}

Test(addresses, an_address_is_called_by_what_limits_count)
{
    assert_text("203.0.113.7", "203.0.113.7");
    assert_text("::ffff:203.0.113.7", "203.0.113.7");
    assert_text("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
    assert_text("fe80::1", "fe80::/64");
    assert_text("fd00:1:2:3::9", "fd00:1:2:3::/64");
    assert_text("::1", "::/64");
    assert_text("unix", "unix");
}

Test(addresses, those_of_one_ipv6_network_are_one)
{
    cr_expect_eq(hold("2001:db8::1"), hold("2001:db8::2"));
    cr_expect_eq(hold("2001:db8::1"), hold("2001:db8::ffff:1"));
    cr_expect_neq(hold("2001:db8::1"), hold("2001:db8:0:1::1"));
}

Test(addresses, an_address_is_crowded_while_it_has_more_connections_than_it_may)
{
    struct address *address = NULL;

    for (int i = 1; i <= 6; i++) {
        address = hold("203.0.113.7");
        cr_expect_eq(address_is_crowded(address, 0), i > 3, "%d", i);
        cr_expect_eq(address_is_crowded(address, 2), i > 5, "%d", i);
    }
    cr_expect_not(address_is_crowded(hold("203.0.113.8"), 0));
    for (int i = 0; i < 4; i++)
        address_release(held[--held_len]);
    cr_expect_not(address_is_crowded(address, 0));
}

Test(addresses, it_may_connect_so_often_and_is_told_when_it_may_again)
{
    struct address *address = hold("203.0.113.7");

    for (int i = 0; i < 5; i++)
        cr_expect_eq(address_try(address, 1), 0);
    cr_expect_eq(address_try(address, 1), 100);
    cr_expect_eq(address_try(hold("203.0.113.8"), 5), 0);
    loop_testing_advance(99);
    cr_expect_eq(address_try(address, 1), 1);
    loop_testing_advance(1);
    cr_expect_eq(address_try(address, 1), 0);
    loop_testing_advance(10000);
    cr_expect_eq(address_try(address, 100), 0, "a cost beyond the burst could never be paid");
    cr_expect_eq(address_try(address, 1), 100);
}

Test(addresses, what_it_did_is_remembered_until_it_does_not_matter)
{
    for (int i = 0; i < 5; i++) {
        struct address *address = take("203.0.113.7");
        cr_expect_eq(address_try(address, 1), 0);
        address_release(address);
    }
    cr_expect_eq(addresses_count(addresses), 1);
    cr_expect_neq(address_try(hold("203.0.113.7"), 1), 0);
    address_release(held[--held_len]);
    loop_testing_advance(500);
    address_release(take("203.0.113.7"));
    cr_expect_eq(addresses_count(addresses), 0);
}

Test(addresses, those_that_are_exempt_are_let_in_always)
{
    for (int i = 0; i < 100; i++) {
        cr_expect_eq(address_try(hold("127.0.0.1"), 1), 0);
        cr_expect_not(address_is_crowded(hold("127.0.0.1"), 0));
        cr_expect_eq(address_try(hold("unix"), 1), 0);
    }
    cr_expect_eq(addresses_count(addresses), 2);
}

/* Whoever has very many addresses must not make us keep all of them. */
Test(addresses, of_those_without_a_connection_so_many_are_remembered)
{
    struct address *connected;

    tear_down();
    set_up_with(100);
    counter_set(COUNTER_ADDRESSES_FORGOTTEN, 0);
    connected = hold("203.0.113.7");
    (void)address_try(connected, 5);
    for (unsigned i = 0; i < 100000; i++) {
        struct address *address = take_number(i);
        cr_assert_eq(address_try(address, 5), 0);
        address_release(address);
        cr_assert_leq(addresses_count(addresses), 101);
    }
    cr_expect_eq(counter_values[COUNTER_ADDRESSES_FORGOTTEN], 100000 - 100);
    cr_expect_neq(address_try(connected, 1), 0, "who is connected is not forgotten");
    loop_testing_advance(1000);
    for (unsigned i = 0; i < 200; i++) {
        struct address *address = take_number(1000000 + i);
        (void)address_try(address, 1);
        address_release(address);
        loop_testing_advance(200);
    }
    cr_expect_leq(addresses_count(addresses), 5, "nothing is kept that does not matter");
}

Test(addresses, a_random_crowd_is_counted_as_a_simple_model_does)
{
    enum { MANY = 40, STEPS = 200000 };
    unsigned open[MANY] = {0};
    struct address *at[MANY] = {NULL};

    random_begin(11);
    for (int step = 0; step < STEPS; step++) {
        unsigned n = (unsigned)below(MANY);

        if (open[n] > 0 && chance(50)) {
            address_release(at[n]);
            open[n]--;
        } else {
            at[n] = take_number(n);
            open[n]++;
        }
        if (open[n] > 0)
            cr_assert_eq(address_is_crowded(at[n], 0), open[n] > 3);
        if (step % 50 == 0)
            loop_testing_advance(below(300));
        if (open[n] > 0)
            (void)address_try(at[n], 1);
    }
    for (unsigned n = 0; n < MANY; n++)
        while (open[n]-- > 0)
            address_release(at[n]);
}

/* The log. */

/* What is written to standard error goes into a file from now on. */
static FILE *catch_log(void)
{
    FILE *file = tmpfile();

    cr_assert_not_null(file);
    cr_assert_geq(dup2(fileno(file), STDERR_FILENO), 0);
    log_setup(LOG_WARN, LOG_LOGFMT);
    return file;
}

static unsigned count_lines(FILE *file)
{
    unsigned lines = 0;
    int c;

    rewind(file);
    while ((c = fgetc(file)) != EOF)
        lines += c == '\n';
    return lines;
}

Test(addresses, the_log_tells_of_each_limit_of_an_address_once_a_minute)
{
    FILE *log = catch_log();
    struct address *one = take("203.0.113.7"), *other = hold("203.0.113.8");

    counter_set(COUNTER_IDLE, 0);
    for (int i = 0; i < 1000; i++) {
        address_limit_met(one, COUNTER_IDLE);
        address_limit_met(one, COUNTER_HTTP_TIME);
        address_limit_met(other, COUNTER_IDLE);
        address_limit_met(NULL, COUNTER_IDLE);
    }
    cr_expect_eq(count_lines(log), 3);
    address_release(one);
    one = hold("203.0.113.7"); /* to come anew makes no news of it */
    address_limit_met(one, COUNTER_IDLE);
    cr_expect_eq(count_lines(log), 3);
    loop_testing_advance(ADDRESS_LINE_MS);
    address_limit_met(one, COUNTER_IDLE);
    cr_expect_eq(count_lines(log), 4);
    cr_expect_eq(counter_values[COUNTER_IDLE], 3002);
    fclose(log);
}

Test(addresses, very_many_addresses_do_not_fill_the_log)
{
    FILE *log = catch_log();

    counter_set(COUNTER_LIMIT_LINES_KEPT_BACK, 0);
    for (unsigned i = 0; i < 5000; i++) {
        struct address *address = take_number(i);
        address_limit_met(address, COUNTER_IDLE);
        address_release(address);
    }
    cr_expect_eq(count_lines(log), ADDRESS_LINES_BURST);
    cr_expect_eq(counter_values[COUNTER_LIMIT_LINES_KEPT_BACK], 5000 - ADDRESS_LINES_BURST);
    fclose(log);
}
