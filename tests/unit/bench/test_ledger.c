/* The books of the load generators: a run in which anything went wrong must not pass. */
#include <criterion/criterion.h>
#include <signal.h>

#include "ledger.h"

static struct ledger ledger;

static void setup(void)
{
    ledger_init(&ledger, 1);
    ledger_sent(&ledger, NOTIFY_STR("5-0"));
    ledger_sent(&ledger, NOTIFY_STR("5-1"));
    ledger_sent(&ledger, NOTIFY_STR("6-0"));
}

static void teardown(void)
{
    ledger_release(&ledger);
}

static void receive(const char *id)
{
    (void)ledger_received(&ledger, 0, notify_str_z(id));
}

TestSuite(ledger, .init = setup, .fini = teardown);

Test(ledger, accepts_each_id_once_and_in_order)
{
    receive("5-0");
    receive("5-1");
    cr_assert_eq(ledger_received(&ledger, 0, NOTIFY_STR("6-0")), 3);
    ledger_check(&ledger, "test");
}

Test(ledger, ends_the_program_when_an_id_is_missing, .exit_code = 1)
{
    receive("5-0");
    receive("6-0");
    ledger_check(&ledger, "test");
}

Test(ledger, ends_the_program_when_an_id_came_twice, .exit_code = 1)
{
    receive("5-0");
    receive("5-1");
    receive("5-1");
    receive("6-0");
    ledger_check(&ledger, "test");
}

Test(ledger, ends_the_program_when_one_came_twice_instead_of_another, .exit_code = 1)
{
    receive("5-0");
    receive("5-1");
    receive("5-1");
    ledger_check(&ledger, "test");
}

Test(ledger, ends_the_program_when_two_ids_are_swapped, .exit_code = 1)
{
    receive("5-1");
    receive("5-0");
    receive("6-0");
    ledger_check(&ledger, "test");
}

Test(ledger, ends_the_program_when_milliseconds_and_sequence_are_swapped, .exit_code = 1)
{
    receive("5-0");
    receive("1-5");
    receive("6-0");
    ledger_check(&ledger, "test");
}
