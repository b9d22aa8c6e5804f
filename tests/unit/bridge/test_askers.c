/* Who waits for agents: each has his own room, whatever comes and goes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "clients/askers.h"
#include "random_testing.h"

#define USERS 200
#define EACH 3
#define STEPS 20000

static struct askers askers = {.max = EACH};

static int take(unsigned user, struct asker **ret)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "user%u", user);
    return asker_take(&askers, notify_str_z(name), ret);
}

Test(askers, each_may_have_so_many_whatever_others_have)
{
    struct asker *taken[USERS][EACH];
    size_t counts[USERS] = {0}, there = 0;
    struct asker *none;

    cr_assert_eq(askers_init(&askers), 0);
    random_begin(11);
    for (int step = 0; step < STEPS; step++) {
        unsigned user = (unsigned)below(USERS);
        size_t *count = &counts[user];
        there -= *count > 0;
        if (*count > 0 && chance(45))
            asker_give(&askers, taken[user][--*count]);
        else if (*count == EACH)
            cr_assert_eq(take(user, &none), -EDQUOT);
        else
            cr_assert_eq(take(user, &taken[user][(*count)++]), 0);
        there += *count > 0;
        cr_assert_eq(askers.table.count, there, "nobody is kept who has nothing");
    }
    for (unsigned user = 0; user < USERS; user++)
        while (counts[user] > 0)
            asker_give(&askers, taken[user][--counts[user]]);
    cr_assert_eq(askers.table.count, 0);
    askers_release(&askers);
}
