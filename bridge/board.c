#include "board.h"

#include <stddef.h>
#include <sys/mman.h>

struct row {
    uint64_t beat_ms, serves, reloaded;
};

struct board {
    uint64_t reloads_asked, handed_over;
    uint64_t len;
    struct row rows[];
};

static size_t size_of(unsigned processes)
{
    return sizeof(struct board) + (size_t)processes * sizeof(struct row);
}

/* Numbers stand alone: none says anything about another one. */
static uint64_t get(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static void set(uint64_t *value, uint64_t to)
{
    __atomic_store_n(value, to, __ATOMIC_RELAXED);
}

struct board *board_new(unsigned processes)
{
    struct board *board =
        mmap(NULL, size_of(processes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (board == MAP_FAILED)
        return NULL;
    board->len = processes;
    return board;
}

void board_free(struct board *board)
{
    if (board != NULL)
        (void)munmap(board, size_of((unsigned)board->len)); /* cannot fail for what was mapped */
}

void board_beat(struct board *board, unsigned row, uint64_t now_ms)
{
    set(&board->rows[row].beat_ms, now_ms);
}

void board_clear(struct board *board, unsigned row)
{
    set(&board->rows[row].beat_ms, 0);
    set(&board->rows[row].serves, 0);
}

uint64_t board_last_beat_ms(const struct board *board, unsigned row)
{
    return get(&board->rows[row].beat_ms);
}

bool board_is_all_begun(const struct board *board)
{
    for (unsigned row = 0; row < board->len; row++)
        if (board_last_beat_ms(board, row) == 0)
            return false;
    return true;
}

void board_serve(struct board *board, unsigned row, bool serves)
{
    set(&board->rows[row].serves, serves);
}

/* A beat may be later than the time that somebody has read before it. */
bool board_is_serving(const struct board *board, unsigned row, uint64_t now_ms)
{
    uint64_t beat_ms = board_last_beat_ms(board, row);

    return get(&board->rows[row].serves) != 0 && beat_ms != 0 &&
           (beat_ms >= now_ms || now_ms - beat_ms < BOARD_STALE_MS);
}

unsigned board_serving(const struct board *board, uint64_t now_ms)
{
    unsigned count = 0;

    for (unsigned row = 0; row < board->len; row++)
        count += board_is_serving(board, row, now_ms);
    return count;
}

/* The next one who serves: so several that are away do not all fall to the same. */
int board_stand_in(const struct board *board, unsigned row, uint64_t now_ms)
{
    if (board_is_serving(board, row, now_ms))
        return -1;
    for (unsigned i = 1; i < board->len; i++) {
        unsigned other = (row + i) % (unsigned)board->len;

        if (board_is_serving(board, other, now_ms))
            return (int)other;
    }
    return -1;
}

unsigned board_rows(const struct board *board)
{
    return (unsigned)board->len;
}

void board_ask_reload(struct board *board)
{
    set(&board->reloads_asked, get(&board->reloads_asked) + 1);
}

uint64_t board_reloads_asked(const struct board *board)
{
    return get(&board->reloads_asked);
}

void board_reloaded(struct board *board, unsigned row, uint64_t asked)
{
    set(&board->rows[row].reloaded, asked);
}

bool board_is_all_reloaded(const struct board *board)
{
    for (unsigned row = 0; row < board->len; row++)
        if (get(&board->rows[row].beat_ms) != 0 &&
            get(&board->rows[row].reloaded) < get(&board->reloads_asked))
            return false;
    return true;
}

void board_hand_over(struct board *board)
{
    set(&board->handed_over, 1);
}

bool board_is_handed_over(const struct board *board)
{
    return get(&board->handed_over) != 0;
}
