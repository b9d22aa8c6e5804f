/* box_payload -- a box as a sequence of blocks of bytes, and back. Everything is a varint unless
 * said otherwise.
 *
 *   first block   version, last ms, last seq, rev, trimmed ms, trimmed seq, end of the key,
 *                 number of categories, for each: muted (0 or 1), length of the name, name;
 *                 number of entries, number of tokens, until when these matter,
 *                 number of cursors
 *   then blocks   entries one behind the other, each: flags (1 byte, as in entry.h), length of the
 *                 body, ms minus that of the entry before, seq, category (1 is the first of the
 *                 list; 0: none), [expiry], [seen, read (0: never)], body
 *   then blocks   tokens one behind the other, each: ms minus that of the token before, ms and seq
 *                 of the id, length of the text, text
 *   then blocks   cursors one behind the other, each: length, and as much as cursor_save gives
 *
 * From version 2 on the first block ends with the number of sections, and behind the cursors come
 *
 *   then blocks   sections one behind the other, each: what it is, whether a reader that does not
 *                 know it may pass over it (1) or not (0), length, as many bytes
 *
 * From version 3 on there may be sections that are not to be passed over. A box is saved in the
 * lowest version that holds it.
 *
 *     what        contents
 *     1  epochs   may be passed over: the present one, how many before it, for each: epoch, ms and
 *                 seq of its end
 *     2  covers   of one cursor, version 3, not to be passed over: its place among the cursors,
 * from 0, and as much as cursor_covers_save gives. Without them what has been read by them alone is
 * unread again
 *
 * Counters are not saved. */
#include <errno.h>
#include <string.h>

#include "box/body.h"
#include "box/box.h"
#include "box/box_extra.h"
#include "box/box_store.h"
#include "box/category_table.h"
#include "box/cursor_covers.h"
#include "box/cursors.h"
#include "box/tokens.h"
#include "base/id_table.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text_buf.h"
#include "base/utf8.h"
#include "base/varint.h"

#define BLOCK_BYTES 32768 /* a block is closed once it holds as much */
#define NAME_ROOM (1 + CATEGORY_BOUND)

/* ---- saving ---- */

/* The place of each slot's category in the saved list. NULL: no memory, or no slots. */
static uint16_t *number_categories(const struct box *box, uint64_t *ret_count)
{
    const struct box_category *table = store_categories(box);
    uint16_t *numbers = NULL;
    uint16_t count = 0;

    if (box->category_slots > 0)
        numbers = mem_try_alloc(box->category_slots * sizeof(*numbers));
    for (size_t i = 0; numbers != NULL && i < box->category_slots; i++)
        numbers[i] = category_is_in_use(&table[i]) ? ++count : 0;
    *ret_count = count;
    return numbers;
}

/* What is saved under no other heading. */
enum section { SECTION_EPOCHS = 1, SECTION_COVERS = 2 };

static bool has_epochs(const struct box *box)
{
    return box_epoch(box) != 0 || store_past_count(box) > 0;
}

static uint64_t count_covers(const struct box *box)
{
    const struct cursors *cursors = box_cursors(box);
    uint64_t count = 0;

    for (uint32_t i = 0; i < cursors_count(cursors); i++)
        count += cursors_at(cursors, i)->covers != NULL;
    return count;
}

/* The sections of a box, as far as its version may have them. */
struct sections {
    bool epochs;
    uint64_t covers;
};

static struct sections find_sections(const struct box *box, int version)
{
    return (struct sections){
        .epochs = version >= BOX_PAYLOAD_SECTIONS && has_epochs(box),
        .covers = version >= BOX_PAYLOAD_COVERS ? count_covers(box) : 0,
    };
}

static uint64_t lowest_version(const struct sections *sections)
{
    if (sections->covers > 0)
        return BOX_PAYLOAD_COVERS;
    return sections->epochs ? BOX_PAYLOAD_SECTIONS : BOX_PAYLOAD_FIRST;
}

static void add_head(struct text_buf *out, const struct box *box, uint64_t category_count,
                     const struct sections *sections)
{
    const struct box_category *table = store_categories(box);
    struct notify_id trimmed = store_trimmed_id(box);

    text_buf_add_varint(out, lowest_version(sections));
    text_buf_add_varint(out, box->last_ms);
    text_buf_add_varint(out, box->last_seq);
    text_buf_add_varint(out, box->rev);
    text_buf_add_varint(out, trimmed.ms);
    text_buf_add_varint(out, trimmed.seq);
    text_buf_add_varint(out, box_key_end_ms(box));
    text_buf_add_varint(out, category_count);
    for (size_t i = 0; i < box->category_slots; i++) {
        struct notify_str name = category_table_name(box, (uint32_t)i + 1);
        if (!category_is_in_use(&table[i]))
            continue;
        text_buf_add_varint(out, table[i].muted);
        text_buf_add_sized(out, name);
    }
    text_buf_add_varint(out, box->live);
    text_buf_add_varint(out, box_tokens(box) == NULL ? 0 : tokens_count(box_tokens(box)));
    text_buf_add_varint(out, box_tokens(box) == NULL ? 0 : box_tokens(box)->until_ms);
    text_buf_add_varint(out, cursors_count(box_cursors(box)));
    if (lowest_version(sections) >= BOX_PAYLOAD_SECTIONS)
        text_buf_add_varint(out, sections->epochs + sections->covers);
}

static void add_entry(struct text_buf *out, const struct walk *walk, const struct entry *e,
                      uint64_t last_ms, const uint16_t *numbers)
{
    text_buf_add_char(out, (char)e->flags);
    text_buf_add_varint(out, e->body_len);
    text_buf_add_varint(out, e->id.ms - last_ms);
    text_buf_add_varint(out, e->id.seq);
    text_buf_add_varint(out, e->category_slot == 0 ? 0 : numbers[e->category_slot - 1]);
    if (e->expire_ms != 0)
        text_buf_add_varint(out, e->expire_ms);
    if ((e->flags & ENTRY_IS_SEEN) != 0) {
        const uint8_t *mark = walk->span.marks + walk->place.ordinal * (size_t)MARK_LEN;
        text_buf_add_varint(out, time48_get(mark));
        text_buf_add_varint(out, time48_get(mark + TIME48_LEN));
    }
    text_buf_add(out, notify_str_of((const char *)e->body, e->body_len));
}

static int write_block(struct text_buf *block, const struct box_sink *sink)
{
    int rc = block->failed ? -ENOMEM : sink->write(sink->ctx, block->ptr, block->len);

    text_buf_clear(block);
    return rc;
}

/* Writes the block if it is full, or if nothing follows and there is something in it. */
static int end_item(struct text_buf *block, const struct box_sink *sink, bool is_last)
{
    size_t least = is_last ? 1 : BLOCK_BYTES;

    return block->len >= least || block->failed ? write_block(block, sink) : 0;
}

static int save_entries(struct text_buf *block, const struct box *box, const uint16_t *numbers,
                        const struct box_sink *sink)
{
    uint64_t last_ms = 0;
    struct walk walk;
    struct entry e;
    int rc = 0;

    walk_init(&walk, box);
    while (rc == 0 && walk_next(&walk, &e)) {
        add_entry(block, &walk, &e, last_ms, numbers);
        last_ms = e.id.ms;
        rc = end_item(block, sink, false);
    }
    return rc != 0 ? rc : end_item(block, sink, true);
}

static int save_tokens(struct text_buf *block, const struct box *box, const struct box_sink *sink)
{
    const struct tokens *tokens = box_tokens(box);
    uint64_t last_ms = 0;
    size_t position = 0;
    struct token token;
    int rc = 0;

    while (rc == 0 && tokens != NULL && tokens_next(tokens, &position, &token)) {
        text_buf_add_varint(block, token.at_ms - last_ms);
        text_buf_add_varint(block, token.id.ms);
        text_buf_add_varint(block, token.id.seq);
        text_buf_add_sized(block, token.text);
        last_ms = token.at_ms;
        rc = end_item(block, sink, false);
    }
    return rc != 0 ? rc : end_item(block, sink, true);
}

static int save_cursors(struct text_buf *block, const struct box *box, bool with_covers,
                        const struct box_sink *sink)
{
    const struct cursors *cursors = box_cursors(box);
    struct text_buf bytes = TEXT_BUF_INIT;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < cursors_count(cursors); i++) {
        text_buf_clear(&bytes);
        cursor_save(cursors_at(cursors, i), with_covers, &bytes);
        text_buf_add_sized(block, text_buf_str(&bytes));
        rc = bytes.failed ? -ENOMEM : end_item(block, sink, false);
    }
    text_buf_release(&bytes);
    return rc != 0 ? rc : end_item(block, sink, true);
}

static void add_section(struct text_buf *block, enum section what, bool may_skip,
                        const struct text_buf *bytes)
{
    text_buf_add_varint(block, what);
    text_buf_add_varint(block, may_skip);
    text_buf_add_sized(block, text_buf_str(bytes));
    block->failed = block->failed || bytes->failed;
}

static int save_epochs(struct text_buf *block, const struct box *box, const struct box_sink *sink)
{
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];
    size_t count = box_past_epochs(box, past);
    struct text_buf bytes = TEXT_BUF_INIT;

    text_buf_add_varint(&bytes, box_epoch(box));
    text_buf_add_varint(&bytes, count);
    for (size_t i = 0; i < count; i++) {
        text_buf_add_varint(&bytes, past[i].epoch);
        text_buf_add_varint(&bytes, past[i].end.ms);
        text_buf_add_varint(&bytes, past[i].end.seq);
    }
    add_section(block, SECTION_EPOCHS, true, &bytes);
    text_buf_release(&bytes);
    return end_item(block, sink, true);
}

static int save_covers(struct text_buf *block, const struct box *box, const struct box_sink *sink)
{
    const struct cursors *cursors = box_cursors(box);
    struct text_buf bytes = TEXT_BUF_INIT;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < cursors_count(cursors); i++) {
        const struct cursor_covers *covers = cursors_at(cursors, i)->covers;
        if (covers == NULL)
            continue;
        text_buf_clear(&bytes);
        text_buf_add_varint(&bytes, i);
        cursor_covers_save(covers, &bytes);
        add_section(block, SECTION_COVERS, false, &bytes);
        rc = end_item(block, sink, false);
    }
    text_buf_release(&bytes);
    return rc != 0 ? rc : end_item(block, sink, true);
}

int box_save(const struct box *box, const struct box_sink *sink)
{
    struct sections sections = find_sections(box, sink->version);
    struct text_buf block = TEXT_BUF_INIT;
    uint64_t category_count;
    uint16_t *numbers = number_categories(box, &category_count);
    int rc = -ENOMEM;

    if (numbers == NULL && box->category_slots > 0)
        goto done;
    add_head(&block, box, category_count, &sections);
    rc = write_block(&block, sink);
    if (rc == 0)
        rc = save_entries(&block, box, numbers, sink);
    if (rc == 0)
        rc = save_tokens(&block, box, sink);
    if (rc == 0)
        rc = save_cursors(&block, box, sections.covers > 0, sink);
    if (rc == 0 && sections.epochs)
        rc = save_epochs(&block, box, sink);
    if (rc == 0 && sections.covers > 0)
        rc = save_covers(&block, box, sink);
done:
    mem_free(numbers);
    text_buf_release(&block);
    return rc;
}

/* ---- loading ---- */

/* A payload being read. */
struct loader {
    const struct box_source *source;
    struct notify_str block; /* what is left of the present block */
    struct box *box;
    struct text_buf names;         /* of categories: each in NAME_ROOM bytes, length and name */
    struct id_table names_by_hash; /* of those that were read; tag: place in the list, from 1 */
    uint64_t category_count;
    uint64_t entry_count;
    uint64_t token_count;
    uint64_t tokens_until_ms;
    uint64_t cursor_count;
    uint64_t section_count;
    uint64_t epoch;
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];
    size_t past_count;
    uint64_t key_end_ms;
    uint64_t rev;
    struct notify_id last;
    struct notify_id trimmed;
    struct notify_id id; /* of the entry read last */
    const char *why;     /* static text; set when a step returns false */
};

static bool refuse(struct loader *l, const char *why)
{
    l->why = why;
    return false;
}

static bool take_bytes(struct notify_str *block, uint64_t len, struct notify_str *ret_bytes)
{
    if (len > block->len)
        return false;
    *ret_bytes = notify_str_of(block->ptr, (size_t)len);
    *block = notify_str_of(block->ptr + len, block->len - (size_t)len);
    return true;
}

/* The name of a category by its place in the list, from 1. Copied: a block lives until the next. */
static struct notify_str listed_name(const struct loader *l, uint64_t place)
{
    const char *at = l->names.ptr + (place - 1) * NAME_ROOM;

    return notify_str_of(at + 1, (unsigned char)*at);
}

struct listed {
    const struct loader *l;
    struct notify_str name;
};

static bool is_listed(const void *ctx, const struct id_slot *slot)
{
    const struct listed *wanted = ctx;

    return notify_str_eq(listed_name(wanted->l, slot->tag), wanted->name);
}

/* Adds a name to the list, in which it must not be yet. */
static bool list_name(struct loader *l, struct notify_str name)
{
    struct listed wanted = {l, name};
    struct id_slot slot = {.hash = id_table_hash(name), .tag = l->names_by_hash.count + 1};
    char *room = text_buf_room(&l->names, NAME_ROOM);

    if (id_table_find(&l->names_by_hash, slot.hash, is_listed, &wanted) != NULL)
        return refuse(l, "category listed twice");
    if (room == NULL || id_table_reserve(&l->names_by_hash) != 0)
        return refuse(l, "no memory");
    *room = (char)name.len;
    memcpy(room + 1, name.ptr, name.len);
    l->names.len += NAME_ROOM;
    id_table_add(&l->names_by_hash, &slot);
    return true;
}

/* muted_names: those before it, *muted_count; they live as long as the block. */
static bool load_category(struct loader *l, struct notify_str *muted_names, size_t *muted_count)
{
    uint64_t muted;
    struct notify_str name;

    if (!varint_take(&l->block, &muted) || muted > 1 || !varint_take_sized(&l->block, &name))
        return refuse(l, "bad category");
    if (!category_is_valid(name))
        return refuse(l, "bad category name");
    if (!list_name(l, name))
        return false;
    if (muted == 1)
        muted_names[(*muted_count)++] = name;
    return true;
}

/* Muted ones go into the box at once, all together; the others with their first entry. */
static bool load_categories(struct loader *l)
{
    struct notify_str *muted;
    size_t muted_count = 0;
    bool loaded = true;
    int rc = 0;

    if (!varint_take(&l->block, &l->category_count) || l->category_count > CATEGORY_SLOTS_BOUND)
        return refuse(l, "bad number of categories");
    if (l->category_count == 0)
        return true;
    muted = mem_try_alloc((size_t)l->category_count * sizeof(*muted));
    if (muted == NULL)
        return refuse(l, "no memory");
    for (uint64_t i = 0; loaded && i < l->category_count; i++)
        loaded = load_category(l, muted, &muted_count);
    if (loaded)
        rc = category_table_fill(&l->box, muted, muted_count);
    mem_free(muted);
    if (rc != 0)
        return refuse(l, rc == -ENOMEM ? "no memory" : "no room for a category");
    return loaded;
}

static bool load_head(struct loader *l)
{
    uint64_t version;

    if (!l->source->read(l->source->ctx, &l->block))
        return refuse(l, "no first block");
    if (!varint_take(&l->block, &version) || version < BOX_PAYLOAD_FIRST ||
        version > BOX_PAYLOAD_LATEST)
        return refuse(l, "unknown version");
    if (!varint_take(&l->block, &l->last.ms) || !varint_take(&l->block, &l->last.seq) ||
        !varint_take(&l->block, &l->rev) || !varint_take(&l->block, &l->trimmed.ms) ||
        !varint_take(&l->block, &l->trimmed.seq) || !varint_take(&l->block, &l->key_end_ms))
        return refuse(l, "first block cut short");
    if (l->last.ms > NOTIFY_ID_MAX_MS || notify_id_cmp(l->trimmed, l->last) > 0)
        return refuse(l, "bad last or trimmed id");
    if (!load_categories(l))
        return false;
    if (!varint_take(&l->block, &l->entry_count) || l->entry_count > BOX_ENTRIES_MAX)
        return refuse(l, "bad number of entries");
    if (!varint_take(&l->block, &l->token_count) || limits_forbid(l->token_count, LIMIT_TOKENS) ||
        !varint_take(&l->block, &l->tokens_until_ms) || l->tokens_until_ms > NOTIFY_ID_MAX_MS)
        return refuse(l, "bad number of tokens");
    if (!varint_take(&l->block, &l->cursor_count) || limits_forbid(l->cursor_count, LIMIT_LOGS))
        return refuse(l, "bad number of cursors");
    if (version >= BOX_PAYLOAD_SECTIONS &&
        (!varint_take(&l->block, &l->section_count) || l->section_count == 0))
        return refuse(l, "bad number of sections");
    if (l->block.len > 0)
        return refuse(l, "first block too long");
    return true;
}

/* Flags that box_append would not have made. */
static bool flags_are_sound(uint8_t flags)
{
    if ((flags & ENTRY_LEVEL_MASK) >= LEVEL_COUNT)
        return false;
    if ((flags & ENTRY_IS_READ) != 0 && (flags & ENTRY_IS_SEEN) == 0)
        return false;
    return (flags & ENTRY_IS_EVENT) == 0 || (flags & ENTRY_IS_SEEN) == 0;
}

static bool take_times(struct loader *l, uint8_t flags, struct box_entry *entry)
{
    if ((flags & ENTRY_EXPIRES) != 0 &&
        (!varint_take(&l->block, &entry->expire_ms) || entry->expire_ms == 0))
        return false;
    if ((flags & ENTRY_IS_SEEN) == 0)
        return true;
    return varint_take(&l->block, &entry->seen_ms) && varint_take(&l->block, &entry->read_ms) &&
           (entry->is_read || entry->read_ms == 0);
}

/* The fixed part of the next entry and its body, not yet checked as a whole. */
static bool take_entry(struct loader *l, struct box_entry *ret_entry)
{
    struct box_entry entry = {0};
    struct notify_str flag_byte;
    uint64_t body_len;
    uint64_t ms;
    uint64_t category;
    uint8_t flags;

    if (!take_bytes(&l->block, 1, &flag_byte))
        return false;
    flags = (uint8_t)flag_byte.ptr[0];
    if (!flags_are_sound(flags) || !varint_take(&l->block, &body_len) ||
        !varint_take(&l->block, &ms) || ms > NOTIFY_ID_MAX_MS ||
        !varint_take(&l->block, &entry.id.seq) || !varint_take(&l->block, &category) ||
        category > l->category_count)
        return false;
    entry.id.ms = l->id.ms + ms;
    entry.kind = (flags & ENTRY_IS_EVENT) != 0 ? ENTRY_EVENT : ENTRY_NOTIFICATION;
    entry.level = (enum entry_level)(flags & ENTRY_LEVEL_MASK);
    entry.category = category > 0 ? listed_name(l, category) : CATEGORY_NONE;
    entry.archived = (flags & ENTRY_IS_ARCHIVED) != 0;
    entry.is_read = (flags & ENTRY_IS_READ) != 0;
    entry.is_seen = (flags & ENTRY_IS_SEEN) != 0;
    if (!take_times(l, flags, &entry) || !take_bytes(&l->block, body_len, &entry.body))
        return false;
    *ret_entry = entry;
    return true;
}

static const char *append_fault(int rc)
{
    if (rc == -ENOMEM)
        return "no memory";
    return rc == -EEXIST ? "collapse token used twice" : "entry out of order or out of range";
}

static bool load_entry(struct loader *l)
{
    struct box_entry entry;
    int rc;

    if (!take_entry(l, &entry))
        return refuse(l, "bad entry");
    if (!body_is_sound(entry.body))
        return refuse(l, "bad body");
    if (entry.kind == ENTRY_NOTIFICATION && body_find(entry.body, BODY_TITLE).ptr == NULL)
        return refuse(l, "notification without a title");
    if (notify_id_cmp(entry.id, l->last) > 0)
        return refuse(l, "id after the last one");
    rc = box_append(&l->box, &entry);
    if (rc != 0)
        return refuse(l, append_fault(rc));
    l->id = entry.id;
    return true;
}

/* Goes to the next block at the end of one. */
static bool next_item(struct loader *l)
{
    return l->block.len > 0 || (l->source->read(l->source->ctx, &l->block) && l->block.len > 0);
}

static bool load_entries(struct loader *l)
{
    for (uint64_t n = 0; n < l->entry_count; n++) {
        if (!next_item(l))
            return refuse(l, "entries missing");
        if (!load_entry(l))
            return false;
    }
    if (l->block.len > 0)
        return refuse(l, "bytes left over");
    return true;
}

static bool take_token(struct loader *l, uint64_t *last_ms, struct token *ret_token)
{
    uint64_t delta;

    if (!varint_take(&l->block, &delta) || delta > NOTIFY_ID_MAX_MS - *last_ms ||
        !varint_take(&l->block, &ret_token->id.ms) || ret_token->id.ms > NOTIFY_ID_MAX_MS ||
        !varint_take(&l->block, &ret_token->id.seq) ||
        !varint_take_sized(&l->block, &ret_token->text) || ret_token->text.len == 0 ||
        ret_token->text.len > TOKEN_BOUND || limits_forbid(ret_token->text.len, LIMIT_TOKEN))
        return false;
    *last_ms += delta;
    ret_token->at_ms = *last_ms;
    return utf8_is_valid(ret_token->text);
}

static bool load_tokens(struct loader *l)
{
    uint64_t last_ms = 0;
    struct token token;
    int rc;

    for (uint64_t n = 0; n < l->token_count; n++) {
        if (!next_item(l) || !take_token(l, &last_ms, &token))
            return refuse(l, "bad token");
        rc = box_remember(&l->box, &token, l->tokens_until_ms);
        if (rc != 0)
            return refuse(l, rc == -EEXIST ? "token listed twice" : "no memory");
    }
    if (l->block.len > 0)
        return refuse(l, "bytes left over");
    return true;
}

static bool load_cursor(struct loader *l)
{
    struct cursor *cursor;
    struct notify_str bytes;
    const char *why;

    if (!next_item(l) || !varint_take_sized(&l->block, &bytes))
        return refuse(l, "cursors missing");
    cursor = cursor_load(bytes, &why);
    if (cursor == NULL)
        return refuse(l, why);
    if (cursors_find(box_cursors(l->box), cursor_name(cursor)) != NULL) {
        cursor_free(cursor);
        return refuse(l, "two cursors in one log");
    }
    if (box_put_cursor(&l->box, cursor) == 0)
        return true;
    cursor_free(cursor);
    return refuse(l, "no memory");
}

static bool load_cursors(struct loader *l)
{
    for (uint64_t n = 0; n < l->cursor_count; n++)
        if (!load_cursor(l))
            return false;
    return l->block.len == 0 || refuse(l, "bytes left over");
}

static bool load_epochs(struct loader *l, struct notify_str bytes)
{
    uint64_t count;

    if (!varint_take(&bytes, &l->epoch) || !varint_take(&bytes, &count) ||
        count > BOX_PAST_EPOCHS_MAX || l->epoch > BOX_EPOCH_MAX)
        return refuse(l, "bad epochs");
    for (l->past_count = 0; l->past_count < count; l->past_count++) {
        struct box_past_epoch *past = &l->past[l->past_count];
        uint64_t epoch;
        if (!varint_take(&bytes, &epoch) || epoch > BOX_EPOCH_MAX ||
            !varint_take(&bytes, &past->end.ms) || !varint_take(&bytes, &past->end.seq))
            return refuse(l, "bad epochs");
        past->epoch = (uint32_t)epoch;
    }
    return bytes.len == 0 || refuse(l, "bad epochs");
}

static bool load_covers(struct loader *l, struct notify_str bytes)
{
    struct cursors *cursors = box_cursors(l->box);
    struct cursor *cursor;
    uint64_t place;
    const char *why;

    if (!varint_take(&bytes, &place) || place >= cursors_count(cursors))
        return refuse(l, "read categories without a cursor");
    cursor = cursors_at(cursors, (uint32_t)place);
    if (cursor->covers != NULL)
        return refuse(l, "read categories twice");
    if (!cursor_covers_load(&bytes, &cursor->covers, &why))
        return refuse(l, why);
    return bytes.len == 0 || refuse(l, "bytes left over");
}

static bool load_section(struct loader *l)
{
    struct notify_str bytes;
    uint64_t may_skip;
    uint64_t what;

    if (!next_item(l) || !varint_take(&l->block, &what) || !varint_take(&l->block, &may_skip) ||
        may_skip > 1 || !varint_take_sized(&l->block, &bytes))
        return refuse(l, "bad section");
    if (what == SECTION_EPOCHS)
        return load_epochs(l, bytes);
    if (what == SECTION_COVERS)
        return load_covers(l, bytes);
    return may_skip == 1 || refuse(l, "a section that only a newer notify.so knows");
}

static bool load_sections(struct loader *l)
{
    for (uint64_t n = 0; n < l->section_count; n++)
        if (!load_section(l))
            return false;
    if (!cursors_are_sound(box_cursors(l->box)))
        return refuse(l, "a cursor and its read categories contradict each other");
    return l->block.len == 0 || refuse(l, "bytes left over");
}

/* What lies behind the entries themselves: the marks of what is gone. */
static bool load_tail(struct loader *l)
{
    int rc;

    if (box_raise_trimmed_id(&l->box, l->trimmed) != 0)
        return refuse(l, "no memory");
    box_raise_last_id(l->box, l->last);
    box_raise_rev_to(l->box, l->rev);
    rc = box_restore_key_end(&l->box, l->key_end_ms);
    if (rc != 0)
        return refuse(l, rc == -EINVAL ? "bad end of the key" : "no memory");
    rc = box_restore_epochs(&l->box, (uint32_t)l->epoch, l->past, l->past_count);
    if (rc != 0)
        return refuse(l, rc == -EINVAL ? "bad epochs" : "no memory");
    return true;
}

struct box *box_load(const struct box_source *source, const char **ret_why)
{
    struct loader l = {
        .source = source, .box = box_new(), .names = TEXT_BUF_INIT, .why = "no memory"};
    bool loaded = l.box != NULL && load_head(&l) && load_entries(&l) && load_tokens(&l) &&
                  load_cursors(&l) && load_sections(&l) && load_tail(&l);

    text_buf_release(&l.names);
    id_table_release(&l.names_by_hash);
    if (loaded)
        return l.box;
    box_free(l.box);
    if (ret_why != NULL)
        *ret_why = l.why;
    return NULL;
}
