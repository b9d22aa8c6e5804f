/* board -- what the processes of one bridge know of each other, in memory that they share: when
 * each has last stirred, and how far it is with what the supervisor asks for.
 *
 * Each row is written by its process, and cleared by the supervisor when that has gone; the rest by
 * the supervisor. Times are of the monotonic clock, which is one for all of them. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#define BOARD_BEAT_MS 500   /* so often a process stirs */
#define BOARD_STALE_MS 3000 /* who has not for so long is not believed to serve anybody */

struct board;

/* To be made before processes are forked. NULL: out of memory. */
struct board *board_new(unsigned processes);
void board_free(struct board *board); /* NULL is fine */

/* As long as nobody has stirred in a row it is empty: there is no process, or it has not begun. */
void board_beat(struct board *board, unsigned row, uint64_t now_ms);
void board_clear(struct board *board, unsigned row);
uint64_t board_last_beat_ms(const struct board *board, unsigned row); /* 0: it is empty */
bool board_is_all_begun(const struct board *board);

/* Whether a process accepts connections: it has said so, and stirs. */
void board_serve(struct board *board, unsigned row, bool serves);
bool board_is_serving(const struct board *board, unsigned row, uint64_t now_ms);
unsigned board_serving(const struct board *board, uint64_t now_ms); /* how many do */
/* Who of them accepts what comes to row while that does not; -1: none is to. */
int board_stand_in(const struct board *board, unsigned row, uint64_t now_ms);
unsigned board_rows(const struct board *board);

/* Reloads are counted: a process has done those that had been asked for when it began its last. */
void board_ask_reload(struct board *board);
uint64_t board_reloads_asked(const struct board *board);
void board_reloaded(struct board *board, unsigned row, uint64_t asked);
bool board_is_all_reloaded(const struct board *board);

/* Another bridge has taken over: workers that are told so by a signal believe it. */
void board_hand_over(struct board *board);
bool board_is_handed_over(const struct board *board);

#endif
