/* box_store -- moves the bytes of a box and keeps the fields of its spans right, in both forms
 * (box_layout.h); internal to the box*.c files. The counters are box_counters.h's. */
#ifndef BOX_STORE_H
#define BOX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/box_layout.h"

uint32_t store_span_count(const struct box *box);
struct span store_span(const struct box *box, uint32_t index);
/* The first entry with an id not smaller than id, or false: none. */
bool store_seek(const struct box *box, struct notify_id id, struct place *ret_place,
                struct entry *ret_entry);
/* The only span that can hold id (0 also when there is none). */
uint32_t store_span_of(const struct box *box, struct notify_id id);

/* The next six may move the box. 0, or -ENOMEM and nothing has changed. */

/* Appends e, with a mark for it if marked, at the end of the last span. Counts it in its span, but
 * not in box->live: that and all other counters are box.c's, which counts after appending. */
int store_append(struct box **box, const struct entry *e, bool marked);
/* Makes the marks up to the entry with this id, which exists at place; *place is where it then is.
 */
int store_need_mark(struct box **box, struct notify_id id, struct place *place);
int store_set_trimmed(struct box **box, struct notify_id id);
int store_set_key_end(struct box **box, uint64_t end_ms);
/* index: as many as there are, for a further one, or less. */
int store_set_past(struct box **box, uint32_t index, const struct past_epoch *past);
int store_set_extra(struct box **box, struct box_extra *extra); /* which then belongs to the box */
/* Puts delta zero bytes (a multiple of 8) at that offset in the header, up to the end of the table
 * of categories. What tells how long the header is has to be changed right after. */
int store_insert(struct box **box, size_t where, size_t delta);

/* Takes the entry of that size out, which box.c has taken out of the counters before. A span that
 * becomes empty goes: the next one then has its index. The box does not move, but its spans may. */
void store_remove(struct box *box, const struct place *place, uint32_t size);
/* Gives memory back after removals, if much of it is unused; may move the box. */
void store_shrink(struct box **box);

struct box *store_copy(const struct box *box); /* NULL: no memory */
void store_free(struct box *box);

/* Of what is in the counters no entry of the span expires earlier; 0: none of it expires. The last
 * of the three says so once it is known exactly. */
uint64_t store_span_min_expire(const struct box *box, uint32_t span);
bool store_span_has_expired(const struct box *box, uint32_t span, uint64_t now_ms); /* may have */
void store_set_span_min_expire(struct box *box, uint32_t span, uint64_t min_ms);
/* The same of the box, from what its spans say. */
void store_find_min_expire(struct box *box);

/* Whether counters are what a clock of now_ms says: of the box, and of a span. */
bool store_is_counted_at(const struct box *box, uint64_t now_ms);
bool store_span_is_counted_at(const struct box *box, uint32_t span, uint64_t now_ms);
/* Whether there is an entry that never expires. O(1), or the entries of a small box. */
bool store_has_staying(const struct box *box);

/* Counts an entry that is in the counters into (+1) or out of (-1) those of its span. */
void store_count_in_span(struct box *box, uint32_t span, const struct entry *e, int direction);

/* The oldest entry of a box that has one. */
void store_oldest(const struct box *box, struct place *ret_place, struct entry *ret_entry);

/* All allocations with the bytes that are known to belong to them. */
void store_visit(const struct box *box, store_visit_fn visit, void *ctx);

/* ---- walking over everything, oldest first ---- */

struct walk {
    const struct box *box;
    struct span span;
    struct place place; /* of the entry that walk_next just gave */
    uint32_t next_offset;
    uint32_t next_ordinal;
};

void walk_init(struct walk *walk, const struct box *box);
/* From the first entry of that span on. */
void walk_init_span(struct walk *walk, const struct box *box, uint32_t span);
/* Goes on at place, which need not be an entry's any more: its end or that of the span will do. */
void walk_init_at(struct walk *walk, const struct box *box, const struct place *place);
bool walk_next(struct walk *walk, struct entry *ret_entry);
/* The next entry that walk_next gives is the first of the following span. */
void walk_skip_span(struct walk *walk);
/* The next entry about which the counters say something else than a clock of now_ms: 1, they lack
 * it, or -1, it has expired; 0: no more. Spans that have none are not looked into, so that in a
 * large box this costs what has expired since it was counted, and little more. */
int walk_next_miscounted(struct walk *walk, uint64_t now_ms, struct entry *ret_entry);

#endif
