/* Which epoch a process takes that begins to be a primary. The server is played: it says what is
 * random. */
#include "server/epoch.h"

#include <criterion/criterion.h>
#include <string.h>

struct rm_ctx {
    int unused;
};

static struct rm_ctx ctx;
static unsigned char draws[8]; /* two for each draw */
static size_t drawn;
static rm_event_fn on_event;

static void draw(unsigned char *bytes, size_t len)
{
    cr_assert_leq(drawn + len, sizeof(draws), "it is not drawn for ever");
    memcpy(bytes, draws + drawn, len);
    drawn += len;
}

static int listen_to(struct rm_ctx *c, struct rm_event event, rm_event_fn fn)
{
    (void)c, (void)event;
    on_event = fn;
    return RM_OK;
}

/* The terms that are drawn, one after the other. */
static void begin(const char terms[sizeof(draws)])
{
    memcpy(draws, terms, sizeof(draws));
    drawn = 0;
    rm_GetRandomBytes = draw;
    rm_SubscribeToServerEvent = listen_to;
    cr_assert(epoch_init(&ctx));
}

static uint32_t term_now(void)
{
    return epoch_now() >> 8;
}

static void promote(void)
{
    on_event(&ctx, (struct rm_event){RM_EVENT_ROLE_CHANGED, 1}, RM_ROLE_NOW_PRIMARY, NULL);
}

Test(epoch, a_term_that_is_met_in_what_is_loaded_is_not_taken)
{
    begin("\0\1\0\1\0\2\0\3");
    epoch_note_seen(1 << 8 | 5);
    cr_assert_eq(term_now(), 2, "neither that, nor that once more");
    epoch_note_seen(7 << 8);
    cr_assert_eq(term_now(), 2);
    epoch_note_seen(2 << 8);
    cr_assert_eq(term_now(), 3);
}

Test(epoch, a_term_that_a_box_has_been_given_is_met_again_without_harm)
{
    begin("\0\1\0\2\0\3\0\4");
    epoch_note_seen(epoch_give());
    cr_assert_eq(term_now(), 1);
}

Test(epoch, a_server_that_is_promoted_takes_none_that_it_has_had_or_met)
{
    begin("\0\1\0\1\0\2\0\3");
    (void)epoch_give();
    epoch_note_seen(2 << 8);
    promote();
    cr_assert_eq(term_now(), 3);
    epoch_note_seen(9 << 8);
    cr_assert_eq(term_now(), 3);
}

/* A box keeps four, and boxes that nobody has written to keep those of years. */
Test(epoch, a_server_that_is_promoted_takes_none_of_all_that_its_boxes_have)
{
    begin("\0\1\0\2\0\3\1\1");
    for (uint32_t met = 2; met <= 256; met++)
        epoch_note_seen(met << 8);
    promote();
    cr_assert_eq(term_now(), 257);
}

Test(epoch, whatever_somebody_brings_another_one_is_found)
{
    begin("\0\1\0\2\0\3\0\4");
    (void)epoch_give();
    for (uint32_t met = 0; met < 65536; met++)
        epoch_note_seen(met << 8);
    promote();
    cr_assert_eq(term_now(), 2, "of the first half nothing is known any more");
}

Test(epoch, what_is_written_in_another_database_has_another_one)
{
    uint32_t first, second;

    begin("\0\1\0\2\0\3\0\4");
    first = epoch_give();
    epoch_enter_database(0);
    cr_assert_eq(epoch_give(), first);
    epoch_enter_database(1);
    second = epoch_give();
    cr_assert_neq(second, first);
    epoch_enter_database(0);
    cr_assert(epoch_give() != first && epoch_give() != second);
    cr_assert(epoch_is_present(first) && epoch_is_present(second));
}

Test(epoch, a_box_that_leaves_its_key_leaves_its_number_to_nobody)
{
    uint32_t first, second;

    begin("\0\1\0\2\0\3\0\4");
    first = epoch_give();
    epoch_note_left(first);
    second = epoch_give();
    cr_assert_neq(second, first);
    epoch_note_left(first); /* of which there are many */
    cr_assert_eq(epoch_give(), second);
    cr_assert(epoch_is_present(first) && epoch_is_present(second));
}

Test(epoch, however_many_boxes_leave_their_keys_none_comes_again_and_what_is_written_goes_on)
{
    static bool were[1 << 24];

    begin("\0\1\0\2\0\3\0\4");
    for (int n = 0; n < 800; n++) {
        uint32_t epoch = epoch_give();
        cr_assert_not(were[epoch], "box %d", n);
        were[epoch] = true;
        epoch_note_left(epoch);
    }
    cr_assert_eq(term_now(), 4);
    cr_assert(epoch_is_present(1 << 8) && epoch_is_present(4 << 8));
    begin("\0\5\0\6\0\7\0\10");
    cr_assert_not(epoch_is_present(1 << 8), "that was another primary");
}

Test(epoch, numbers_under_which_nothing_was_written_are_never_used_up)
{
    begin("\0\1\0\1\0\1\0\1");
    for (int n = 0; n < 1000; n++)
        epoch_note_gone();
    cr_assert_eq(term_now(), 1);
}
