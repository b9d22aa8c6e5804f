/* Under which epochs a box was written, and which positions that makes good. */
#include <criterion/criterion.h>
#include <errno.h>

#include "box_testing.h"
#include "mem_testing.h"

static struct box *box;
static struct text_buf body_buf;

static void setup(void)
{
    mem_testing_install(1);
    body_buf = TEXT_BUF_INIT;
    box = box_new();
}

static void teardown(void)
{
    box_free(box);
    text_buf_release(&body_buf);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(box_epochs, .init = setup, .fini = teardown);

static struct notify_id at(uint64_t ms)
{
    return (struct notify_id){ms, 0};
}

static void append(uint64_t ms)
{
    struct body plain = {.field[BODY_TITLE] = NOTIFY_STR("t")};
    struct body_error error;
    struct box_entry entry = {.id = at(ms)};

    cr_assert(body_build(&body_buf, &plain, &error));
    entry.body = text_buf_str(&body_buf);
    cr_assert_eq(box_append(&box, &entry), 0);
}

/* The box goes on to ms under that epoch. */
static void write_under(uint32_t epoch, uint64_t ms)
{
    cr_assert_eq(box_begin_epoch(&box, epoch, box_last_id(box)), 0);
    append(ms);
}

static bool knows(uint32_t epoch, uint64_t ms, uint64_t from_ms)
{
    struct notify_id from;
    bool known = box_knows_position(box, epoch, at(ms), &from);

    cr_assert_eq(notify_id_cmp(from, at(from_ms)), 0);
    return known;
}

Test(box_epochs, a_box_that_is_made_has_one_and_pays_nothing)
{
    size_t bytes = box_bytes(box);

    cr_assert_eq(box_epoch(box), 0);
    cr_assert_eq(box_begin_epoch(&box, BOX_EPOCH_MAX, box_last_id(box)), 0);
    cr_assert_eq(box_epoch(box), BOX_EPOCH_MAX);
    cr_assert_eq(box_bytes(box), bytes);
    cr_assert_eq(box_past_epochs(box, (struct box_past_epoch[BOX_PAST_EPOCHS_MAX]){{0}}), 0);
}

Test(box_epochs, a_position_is_good_up_to_where_the_next_began)
{
    write_under(7, 1000);
    write_under(7, 1500);
    write_under(8, 2000);
    cr_assert(knows(7, 1000, 1000));
    cr_assert(knows(7, 1500, 1500));
    cr_assert_not(knows(7, 1501, 1500), "it was lost; both have what stands before it");
    cr_assert_not(knows(7, 2000, 1500), "the same id, another entry");
    cr_assert(knows(8, 2000, 2000));
    cr_assert_not(knows(9, 1000, 1000), "nobody knows of that");
    cr_assert(knows(9, 0, 0), "from the beginning");
}

Test(box_epochs, what_it_was_before_there_were_epochs_is_one_of_them)
{
    append(1000);
    write_under(8, 2000);
    cr_assert(knows(0, 1000, 1000));
    cr_assert_not(knows(0, 1001, 1000));
}

Test(box_epochs, the_last_few_are_kept_and_the_order_stays)
{
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];

    for (uint32_t n = 1; n <= 6; n++)
        write_under(n, n * 1000);
    cr_assert_eq(box_epoch(box), 6);
    cr_assert_eq(box_past_epochs(box, past), BOX_PAST_EPOCHS_MAX);
    for (uint32_t i = 0; i < BOX_PAST_EPOCHS_MAX; i++) {
        cr_assert_eq(past[i].epoch, 3 + i);
        cr_assert_eq(past[i].end.ms, (3 + i) * 1000);
    }
    cr_assert(knows(3, 3000, 3000));
    cr_assert_not(knows(2, 2000, 2000), "too long ago");
}

Test(box_epochs, an_epoch_begins_once)
{
    write_under(7, 1000);
    cr_assert_eq(box_begin_epoch(&box, 7, at(1000)), 0);
    cr_assert_eq(box_past_epochs(box, (struct box_past_epoch[BOX_PAST_EPOCHS_MAX]){{0}}), 0);
}

Test(box_epochs, one_that_has_ended_stands_among_those_before_until_the_next_begins)
{
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];

    write_under(7, 1000);
    cr_assert_not(box_epoch_has_ended(box));
    cr_assert_eq(box_end_epoch(&box), 0);
    cr_assert_eq(box_end_epoch(&box), 0, "once is enough");
    cr_assert(box_epoch_has_ended(box));
    cr_assert_eq(box_epoch(box), 7);
    cr_assert(knows(7, 1000, 1000));
    write_under(8, 2000);
    cr_assert_not(box_epoch_has_ended(box));
    cr_assert_eq(box_past_epochs(box, past), 1, "as it is without that");
    cr_assert_not(knows(7, 1500, 1000), "it came behind what was put back");
    cr_assert(box_has_epoch(box, 7) && box_has_epoch(box, 8));
    cr_assert_not(box_has_epoch(box, 9));
}

Test(box_epochs, one_that_has_ended_and_was_gone_on_with_ends_where_the_next_begins)
{
    write_under(7, 1000);
    cr_assert_eq(box_end_epoch(&box), 0);
    append(1500);
    cr_assert(knows(7, 1500, 1500));
    write_under(8, 2000);
    cr_assert(knows(7, 1500, 1500));
    cr_assert_not(knows(7, 1600, 1500));
}

Test(box_epochs, of_one_that_has_ended_before_there_was_an_entry_no_position_is_good)
{
    cr_assert_eq(box_end_epoch(&box), 0, "nothing is known");
    cr_assert_not(box_epoch_has_ended(box));
    cr_assert_eq(box_begin_epoch(&box, 7, at(0)), 0);
    cr_assert_eq(box_end_epoch(&box), 0);
    write_under(8, 2000);
    cr_assert_not(knows(7, 1000, 0));
}

Test(box_epochs, under_another_name_no_position_is_known)
{
    write_under(7, 1000);
    write_under(8, 2000);
    box_forget_epochs(box);
    cr_assert_eq(box_epoch(box), 0);
    cr_assert_not(knows(7, 1000, 1000));
    cr_assert_not(knows(8, 2000, 2000));
    write_under(8, 3000);
    cr_assert_not(knows(7, 1000, 1000));
    cr_assert(knows(0, 2000, 2000));
    cr_assert(knows(8, 3000, 3000));
}

Test(box_epochs, they_stay_whatever_form_the_box_has)
{
    struct box *copy;

    write_under(7, 1000);
    write_under(8, 2000);
    for (uint64_t n = 1; n < 3000; n++)
        append(2000 + n);
    cr_assert_gt(box_segments(box), 1);
    cr_assert_not(knows(7, 1001, 1000));
    write_under(9, 9000);
    copy = box_copy(box);
    box_free(box);
    box = copy;
    cr_assert_not(knows(7, 1001, 1000));
    cr_assert_not(knows(8, 9000, 4999));
    cr_assert_gt(box_trim_maxlen(&box, 1, BOX_NEVER_EXPIRE, NULL), 0);
    cr_assert_eq(box_segments(box), 1);
    cr_assert_not(knows(7, 1001, 1000));
    cr_assert_eq(box_epoch(box), 9);
}

Test(box_epochs, without_memory_nothing_has_changed)
{
    write_under(7, 1000);
    mem_testing_fail_at(1);
    cr_assert_eq(box_begin_epoch(&box, 8, at(1000)), -ENOMEM);
    cr_assert_eq(box_epoch(box), 7);
    cr_assert(knows(7, 2000, 2000));
}

/* ---- payloads ---- */

static struct box *reload(int version)
{
    struct test_payload payload = {NULL, 0, 0};
    struct box_sink sink = {test_payload_write, &payload, version};
    const char *why = NULL;
    struct box *loaded;

    cr_assert_eq(box_save(box, &sink), 0);
    loaded = test_payload_load(&payload, &why);
    free(payload.bytes);
    cr_assert_not_null(loaded, "%s", why);
    return loaded;
}

Test(box_epochs, a_payload_keeps_them_from_its_second_version_on)
{
    struct box *loaded;

    for (uint32_t n = 1; n <= 5; n++)
        write_under(n * 1000, n * 1000);
    loaded = reload(BOX_PAYLOAD_LATEST);
    box_free(box);
    box = loaded;
    cr_assert_eq(box_epoch(box), 5000);
    cr_assert(knows(2000, 2000, 2000));
    cr_assert_not(knows(2000, 2001, 2000));
    loaded = reload(BOX_PAYLOAD_FIRST);
    cr_assert_eq(box_epoch(loaded), 0);
    cr_assert_eq(box_past_epochs(loaded, (struct box_past_epoch[BOX_PAST_EPOCHS_MAX]){{0}}), 0);
    box_free(loaded);
}

Test(box_epochs, what_cannot_be_is_refused)
{
    struct box_past_epoch past[] = {{1, {1000, 0}}, {2, {2000, 0}}, {3, {3000, 0}}};

    append(2500);
    cr_assert_eq(box_restore_epochs(&box, 4, past, 3), -EINVAL, "an end behind the last id");
    cr_assert_eq(box_restore_epochs(&box, BOX_EPOCH_MAX + 1, past, 2), -EINVAL);
    past[0].epoch = BOX_EPOCH_MAX + 1;
    cr_assert_eq(box_restore_epochs(&box, 4, past, 2), -EINVAL);
    past[0] = (struct box_past_epoch){1, {2001, 0}};
    cr_assert_eq(box_restore_epochs(&box, 4, past, 2), -EINVAL, "an end before the one before it");
    past[0].end.ms = 2000;
    cr_assert_eq(box_restore_epochs(&box, 4, past, 2), 0);
    cr_assert_eq(box_epoch(box), 4);
}
