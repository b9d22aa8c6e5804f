/* Objects found by a hash: what is in the table is found, whatever came and went. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/hash_table.h"
#include "random_testing.h"

#define OBJECTS 1000
#define STEPS 20000

struct object {
    struct hash_node node; /* first */
    uint64_t name;
    bool is_in;
};

static struct object objects[OBJECTS];
static struct hash_table table;

/* Half of the objects are in few chains, as if somebody had chosen their names. */
static uint64_t hash_of(const struct hash_table *of, const struct hash_node *node)
{
    uint64_t name = ((const struct object *)node)->name;

    (void)of;
    return name % 2 == 0 ? name % 8 : name;
}

static bool is_found(const struct object *object)
{
    const struct hash_node *node = hash_table_chain(&table, hash_of(&table, &object->node));

    while (node != NULL && node != &object->node)
        node = node->next;
    return node != NULL;
}

static void setup(void)
{
    cr_assert_eq(hash_table_init(&table, hash_of), 0);
    for (uint64_t i = 0; i < OBJECTS; i++)
        objects[i] = (struct object){.name = i};
}

static void teardown(void)
{
    hash_table_release(&table);
}

TestSuite(hash_table, .init = setup, .fini = teardown);

static void move(struct object *object)
{
    if (object->is_in)
        hash_table_remove(&table, &object->node);
    else
        hash_table_add(&table, &object->node);
    object->is_in = !object->is_in;
}

static size_t count_in(void)
{
    size_t count = 0;

    for (size_t i = 0; i < OBJECTS; i++)
        count += objects[i].is_in;
    return count;
}

Test(hash_table, what_is_in_it_is_found_and_what_is_not_is_not)
{
    random_begin(1);
    for (int step = 0; step < STEPS; step++)
        move(&objects[below(OBJECTS)]);
    for (size_t i = 0; i < OBJECTS; i++)
        cr_assert_eq(is_found(&objects[i]), objects[i].is_in, "object %zu", i);
    cr_assert_eq(table.count, count_in());
}

Test(hash_table, a_walk_meets_each_once_and_may_take_out_the_one_it_is_given)
{
    struct hash_node *node, *next;
    size_t met = 0;

    for (size_t i = 0; i < OBJECTS; i++)
        move(&objects[i]);
    HASH_TABLE_FOREACH(node, next, &table)
    {
        struct object *object = (struct object *)node;
        cr_assert(object->is_in);
        met++;
        if (object->name % 3 == 0)
            move(object);
    }
    cr_assert_eq(met, OBJECTS);
    cr_assert_eq(table.count, count_in());
    for (size_t i = 0; i < OBJECTS; i++)
        cr_assert_eq(is_found(&objects[i]), i % 3 != 0);
}

Test(hash_table, chains_stay_short_as_it_grows)
{
    size_t longest = 0;

    for (size_t i = 1; i < OBJECTS; i += 2)
        move(&objects[i]);
    for (size_t i = 0; i <= table.mask; i++) {
        size_t len = 0;
        for (const struct hash_node *node = table.buckets[i]; node != NULL; node = node->next)
            len++;
        longest = len > longest ? len : longest;
    }
    cr_assert_eq(longest, 2); /* 500 odd numbers below 1,000, in 512 buckets */
}
