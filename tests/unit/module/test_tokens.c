/* Idempotency tokens and the hash table below them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "mem_testing.h"
#include "box/tokens.h"

static struct tokens tokens;

static void setup(void)
{
    mem_testing_install(1);
    tokens = (struct tokens){.bytes = NULL};
}

static void teardown(void)
{
    tokens_release(&tokens);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(tokens, .init = setup, .fini = teardown);

static struct notify_str name_of(char out[32], unsigned n)
{
    snprintf(out, 32, "token %u", n);
    return notify_str_z(out);
}

static int add(unsigned n, uint64_t at_ms)
{
    char text[32];
    struct token token = {name_of(text, n), {n, 7}, at_ms};

    if (tokens_reserve(&tokens, token.text.len) != 0)
        return -ENOMEM;
    tokens_add(&tokens, &token, at_ms + 1000);
    return 0;
}

static bool has(unsigned n, uint64_t after_ms)
{
    char text[32];
    struct notify_id id = {0, 0};
    bool found = tokens_find(&tokens, name_of(text, n), after_ms, &id);

    cr_assert_eq(id.ms, found ? n : 0);
    return found;
}

Test(tokens, a_token_leads_to_the_id_given_for_it_within_the_window)
{
    cr_assert_not(has(1, 0));
    cr_assert_eq(add(1, 100), 0);
    cr_assert(has(1, 99));
    cr_assert_not(has(1, 100));
    cr_assert_not(has(2, 0));
    cr_assert_eq(tokens.until_ms, 1100);
}

Test(tokens, the_oldest_are_forgotten_first_by_age_and_by_number)
{
    for (unsigned n = 0; n < 10; n++)
        cr_assert_eq(add(n, 100 + n), 0);
    tokens_forget(&tokens, 102, 100);
    cr_assert_eq(tokens_count(&tokens), 7);
    cr_assert_not(has(2, 0));
    cr_assert(has(3, 0));
    tokens_forget(&tokens, 0, 4);
    cr_assert_eq(tokens_count(&tokens), 4);
    cr_assert_not(has(5, 0));
    cr_assert(has(6, 0));
    tokens_forget(&tokens, 0, 0);
    cr_assert_eq(tokens_count(&tokens), 0);
    cr_assert_eq(tokens.until_ms, 0);
}

Test(tokens, times_never_go_back)
{
    struct token token;
    size_t position = 0;

    cr_assert_eq(add(1, 100), 0);
    cr_assert_eq(add(2, 50), 0);
    cr_assert(tokens_next(&tokens, &position, &token));
    cr_assert(tokens_next(&tokens, &position, &token));
    cr_assert_eq(token.at_ms, 100);
    cr_assert_eq(token.id.ms, 2);
    cr_assert_not(tokens_next(&tokens, &position, &token));
}

Test(tokens, memory_stays_bounded_while_tokens_come_and_go)
{
    for (unsigned n = 0; n < 100000; n++) {
        tokens_forget(&tokens, 0, 99);
        cr_assert_eq(add(n, n), 0);
    }
    for (unsigned n = 100000 - 100; n < 100000; n++)
        cr_assert(has(n, 0));
    cr_assert_not(has(100000 - 101, 0));
    cr_assert_leq(tokens.cap, 100 * 19 * 4);
    cr_assert_leq(tokens.table.cap, 256);
}

Test(tokens, a_copy_is_equal_and_its_own)
{
    struct tokens copy;

    for (unsigned n = 0; n < 50; n++)
        cr_assert_eq(add(n, n), 0);
    tokens_forget(&tokens, 10, 100);
    cr_assert_eq(tokens_copy(&copy, &tokens), 0);
    tokens_forget(&tokens, 0, 0);
    tokens_release(&tokens);
    tokens = copy;
    cr_assert_eq(tokens_count(&tokens), 39);
    for (unsigned n = 11; n < 50; n++)
        cr_assert(has(n, 0));
}

Test(tokens, an_empty_set_that_has_room_copies_to_an_empty_one)
{
    struct tokens copy;

    cr_assert_eq(tokens_reserve(&tokens, 10), 0);
    cr_assert_eq(tokens_copy(&copy, &tokens), 0);
    cr_assert_null(copy.bytes);
}

Test(tokens, reserved_room_outlives_forgetting)
{
    struct token token = {NOTIFY_STR("new"), {9, 9}, 500};

    for (unsigned n = 0; n < 20; n++)
        cr_assert_eq(add(n, n), 0);
    cr_assert_eq(tokens_reserve(&tokens, token.text.len), 0);
    mem_testing_fail_at(1);
    tokens_forget(&tokens, 100, 0);
    tokens_add(&tokens, &token, 600);
    mem_testing_fail_at(0);
    cr_assert_eq(tokens_count(&tokens), 1);
}

Test(tokens, lack_of_memory_changes_nothing)
{
    for (unsigned n = 0; n < 200; n++) {
        long failed = 1;
        for (;; failed++) {
            mem_testing_fail_at(failed);
            if (add(n, n) == 0)
                break;
            mem_testing_fail_at(0);
            cr_assert_eq(tokens_count(&tokens), n);
        }
        mem_testing_fail_at(0);
        cr_assert_lt(failed, 5);
    }
    for (unsigned n = 1; n < 200; n++)
        cr_assert(has(n, 0));
    for (long failed = 1;; failed++) {
        struct tokens copy;
        mem_testing_fail_at(failed);
        if (tokens_copy(&copy, &tokens) == 0) {
            mem_testing_fail_at(0);
            tokens_release(&copy);
            break;
        }
        cr_assert_null(copy.bytes);
    }
}

/* ---- the table ---- */

TestSuite(id_table, .init = setup, .fini = teardown);

static bool is_id(const void *ctx, const struct id_slot *slot)
{
    return slot->id.ms == *(const uint64_t *)ctx;
}

/* All hashes fall into a few runs that end at the end of the table and go on at its beginning. */
Test(id_table, removal_keeps_what_collides_within_reach)
{
    struct id_table table = {NULL, 0, 0};
    bool present[40] = {false};
    uint32_t seed = 1;

    for (int step = 0; step < 20000; step++) {
        uint64_t n = (seed = seed * 1664525u + 1013904223u) >> 8 & 31;
        uint32_t hash = (uint32_t)(n % 5) - 2u;
        struct id_slot *slot = id_table_find(&table, hash, is_id, &n);
        cr_assert_eq(slot != NULL, present[n]);
        if (slot != NULL) {
            id_table_remove(&table, slot);
        } else {
            struct id_slot added = {{n, 0}, hash, 1};
            cr_assert_eq(id_table_reserve(&table), 0);
            id_table_add(&table, &added);
        }
        present[n] = !present[n];
        for (uint64_t k = 0; k < 32; k++)
            cr_assert_eq(id_table_find(&table, (uint32_t)(k % 5) - 2u, is_id, &k) != NULL,
                         present[k]);
    }
    id_table_release(&table);
}

Test(id_table, another_seed_gives_other_hashes)
{
    uint32_t hash = id_table_hash(NOTIFY_STR("a text"));

    cr_assert_eq(id_table_hash(NOTIFY_STR("a text")), hash);
    id_table_seed(42);
    cr_assert_neq(id_table_hash(NOTIFY_STR("a text")), hash);
}
