#include "board.h"

#include <criterion/criterion.h>

static struct board *board;

static void set_up(void)
{
    board = board_new(3);
    cr_assert_not_null(board);
}

static void tear_down(void)
{
    board_free(board);
}

TestSuite(board, .init = set_up, .fini = tear_down);

static void serve(unsigned row, uint64_t now_ms)
{
    board_beat(board, row, now_ms);
    board_serve(board, row, true);
}

Test(board, who_serves_has_said_so_and_has_stirred_of_late)
{
    cr_expect_eq(board_serving(board, 1000), 0);
    serve(1, 1000);
    cr_expect(board_is_serving(board, 1, 1000));
    cr_expect(board_is_serving(board, 1, 999), "another process has read the clock before it");
    cr_expect(board_is_serving(board, 1, 1000 + BOARD_STALE_MS - 1));
    cr_expect_not(board_is_serving(board, 1, 1000 + BOARD_STALE_MS));
    board_serve(board, 1, false);
    cr_expect_not(board_is_serving(board, 1, 1000));
    cr_expect_eq(board_last_beat_ms(board, 1), 1000, "it stirs all the same");
}

Test(board, what_has_gone_has_begun_no_more)
{
    for (unsigned row = 0; row < 3; row++)
        serve(row, 5);
    cr_expect_eq(board_serving(board, 5), 3);
    board_clear(board, 2);
    cr_expect_eq(board_serving(board, 5), 2);
    cr_expect_eq(board_last_beat_ms(board, 2), 0);
}

Test(board, the_next_one_that_serves_stands_in)
{
    cr_expect_eq(board_stand_in(board, 0, 5), -1, "nobody is there");
    serve(0, 5);
    serve(1, 5);
    cr_expect_eq(board_stand_in(board, 2, 5), 0);
    board_clear(board, 0);
    serve(2, 5);
    cr_expect_eq(board_stand_in(board, 0, 5), 1);
    board_serve(board, 1, false);
    cr_expect_eq(board_stand_in(board, 0, 5), 2);
    cr_expect_eq(board_stand_in(board, 1, 5), 2);
    cr_expect_eq(board_stand_in(board, 2, 5), -1, "it serves itself");
}

Test(board, a_reload_is_done_when_everybody_who_is_there_has_done_it)
{
    board_beat(board, 0, 5);
    board_beat(board, 1, 5);
    cr_expect(board_is_all_reloaded(board));
    board_ask_reload(board);
    board_reloaded(board, 0, board_reloads_asked(board));
    cr_expect_not(board_is_all_reloaded(board));
    board_reloaded(board, 1, board_reloads_asked(board));
    cr_expect(board_is_all_reloaded(board));
    board_ask_reload(board);
    board_clear(board, 0);
    board_clear(board, 1);
    cr_expect(board_is_all_reloaded(board), "who begins anew begins with what is true");
}
