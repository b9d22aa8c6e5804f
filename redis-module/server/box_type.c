/* box_type -- see box_type.h.
 *
 * RDB: the blocks of box_save, one string each, under encoding version 1. AOF: the same blocks as
 * arguments of NOTIFY.RESTOREBOX, cut into commands of bounded size by copying a part of the
 * entries at a time into a small box of its own; what concerns the whole box comes with the last.
 */
#include "server/box_type.h"

#include <errno.h>

#include "box/box_extra.h"
#include "box/cursor_covers.h"
#include "box/cursors.h"
#include "server/config.h"
#include "server/defrag.h"
#include "server/epoch.h"
#include "server/info.h"
#include "server/unlinked.h"
#include "server/unsaved.h"
#include "base/mem.h"
#include "base/versions.h"

enum {
    ENCODING_VERSION = 1,
    REWRITE_ENTRIES_MAX = 64,       /* entries in one command of a rewritten AOF */
    REWRITE_BYTES_MAX = 256 * 1024, /* bytes of bodies in it, unless one entry alone has more */
    REWRITE_TOKENS_MAX = 1000,      /* tokens in it */
    REWRITE_CURSORS_MAX = 32,       /* cursors in it: each up to 40 KiB */
    BLOCKS_MAX = 4096               /* blocks in it: far more than such a part can have */
};

static struct rm_type *type;

struct rm_type *box_type_get(void)
{
    return type;
}

/* ---- RDB ---- */

static int write_block(void *ctx, const void *bytes, size_t len)
{
    rm_SaveStringBuffer(ctx, bytes, len);
    return 0; /* the server notices a failed write by itself */
}

static int payload_version(void)
{
    if (config_writes(WRITE_VERSION_COVERS))
        return BOX_PAYLOAD_COVERS;
    return config_writes(WRITE_VERSION_SECTIONS) ? BOX_PAYLOAD_SECTIONS : BOX_PAYLOAD_FIRST;
}

static void on_rdb_save(struct rm_io *io, void *value)
{
    struct box_sink sink = {write_block, io, payload_version()};

    if (box_save(value, &sink) != 0)
        unsaved_abort(io, "a box");
}

struct rdb_reader {
    struct rm_io *io;
    char *block; /* owned; the one handed out last */
};

static bool read_block(void *ctx, struct notify_str *ret_block)
{
    struct rdb_reader *reader = ctx;
    size_t len = 0;

    rm_Free(reader->block);
    reader->block = rm_LoadStringBuffer(reader->io, &len);
    if (reader->block == NULL || rm_IsIOError(reader->io))
        return false;
    *ret_block = notify_str_of(reader->block, len);
    return true;
}

static void note_epochs(const struct box *box)
{
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];
    size_t count = box_past_epochs(box, past);

    for (size_t i = 0; i < count; i++)
        epoch_note_seen(past[i].epoch);
    epoch_note_seen(box_epoch(box));
}

static struct box *count_in(struct box *box)
{
    if (box != NULL) {
        note_epochs(box);
        info_add_box();
        info_add_entries((long long)box_stored(box));
    }
    return box;
}

static void *on_rdb_load(struct rm_io *io, int encver)
{
    struct rdb_reader reader = {.io = io};
    struct box_source source = {read_block, &reader};
    const char *why = "an encoding version that this module does not know";
    struct box *box = NULL;

    if (encver == ENCODING_VERSION)
        box = box_load(&source, &why);
    rm_Free(reader.block);
    if (box == NULL) {
        info_count(INFO_LOADS_REFUSED, 1);
        rm_LogIOError(
            io, "warning",
            "refused a notifybox: %s (is it of a newer notify.so? See notify.write-version)",
            why == NULL ? "?" : why);
    }
    return count_in(box);
}

/* ---- AOF ---- */

/* Blocks as arguments of a command. */
struct block_list {
    struct rm_string *strings[BLOCKS_MAX];
    size_t count;
};

static int add_block(void *ctx, const void *bytes, size_t len)
{
    struct block_list *list = ctx;

    if (list->count == BLOCKS_MAX)
        return -E2BIG;
    list->strings[list->count++] = rm_CreateString(NULL, bytes, len);
    return 0;
}

static void emit_part(struct rm_io *io, struct rm_string *key, const struct box *part)
{
    static struct block_list
        list; /* only ever in the child that rewrites, and too big for a stack */
    struct box_sink sink = {add_block, &list, payload_version()};

    list.count = 0;
    if (box_save(part, &sink) != 0)
        unsaved_abort(io, "a part of a box");
    rm_EmitAOF(io, BOX_TYPE_RESTORE, "sv", key, list.strings, list.count);
    for (size_t i = 0; i < list.count; i++)
        rm_FreeString(NULL, list.strings[i]);
}

/* What belongs to the box as a whole goes into the part that is applied last: an earlier last id
 * would shut out the entries that follow. */
static int take_box_state(struct box **part, const struct box *box)
{
    struct box_past_epoch past[BOX_PAST_EPOCHS_MAX];
    size_t past_count = box_past_epochs(box, past);
    int rc = box_mute_like(part, box);

    if (rc >= 0 && !notify_id_is_zero(box_trimmed_id(box)))
        rc = box_raise_trimmed_id(part, box_trimmed_id(box));
    box_raise_last_id(*part, box_last_id(box));
    box_raise_rev_to(*part, box_rev(box));
    if (rc >= 0)
        rc = box_restore_key_end(part, box_key_end_ms(box));
    if (rc >= 0 && (box_epoch(box) != 0 || past_count > 0))
        rc = box_restore_epochs(part, box_epoch(box), past, past_count);
    return rc < 0 ? rc : 0;
}

/* Fills part with the next entries; *ret_more tells whether there are others. */
static int fill_part(struct box **part, struct box_iter *iter, struct box_entry *next,
                     bool *ret_more)
{
    size_t bytes = 0;
    int rc = 0;

    for (int n = 0; *ret_more && rc == 0; n++) {
        if (n == REWRITE_ENTRIES_MAX || (n > 0 && bytes + next->body.len > REWRITE_BYTES_MAX))
            return 0;
        bytes += next->body.len;
        rc = box_append(part, next);
        *ret_more = box_iter_next(iter, next);
    }
    return rc;
}

/* Copies tokens from *pos on, at most max, and moves *pos behind them; *ret_more: others follow. */
static int take_tokens(struct box **part, const struct box *box, size_t *pos, size_t max,
                       bool *ret_more)
{
    const struct tokens *tokens = box_tokens(box);
    struct token token;
    int rc = 0;

    *ret_more = tokens != NULL;
    while (*ret_more && max-- > 0 && rc == 0) {
        *ret_more = tokens_next(tokens, pos, &token);
        if (*ret_more)
            rc = box_remember(part, &token, tokens->until_ms);
    }
    return rc;
}

/* Copies cursors from index *pos on, at most max, and moves *pos behind them. */
static int take_cursors(struct box **part, const struct box *box, uint32_t *pos, uint32_t max)
{
    const struct cursors *cursors = box_cursors(box);
    uint32_t left = cursors_count(cursors) - *pos;

    for (uint32_t n = left < max ? left : max; n > 0; n--) {
        struct cursor *copy = cursor_copy(cursors_at(cursors, *pos));
        int rc = copy == NULL ? -ENOMEM : box_put_cursor(part, copy);
        if (rc != 0) {
            cursor_free(copy);
            return rc;
        }
        (*pos)++;
    }
    return 0;
}

static void on_aof_rewrite(struct rm_io *io, struct rm_string *key, void *value)
{
    struct box_range range = {
        .to = NOTIFY_ID_GREATEST, .now_ms = BOX_NEVER_EXPIRE, .filter = BOX_FILTER_ALL};
    struct box_iter iter;
    struct box_entry next;
    uint32_t cursors = 0; /* that are done */
    size_t tokens = 0;
    bool more_tokens = false;
    bool more_entries;
    bool more;
    int rc;

    box_iter_init(&iter, value, &range);
    more_entries = box_iter_next(&iter, &next);
    do {
        struct box *part = box_new();

        rc = part == NULL ? -ENOMEM : fill_part(&part, &iter, &next, &more_entries);
        if (rc == 0)
            rc = take_cursors(&part, value, &cursors, REWRITE_CURSORS_MAX);
        if (rc == 0)
            rc = take_tokens(&part, value, &tokens, REWRITE_TOKENS_MAX, &more_tokens);
        more = more_entries || more_tokens || cursors < cursors_count(box_cursors(value));
        if (rc == 0 && !more)
            rc = take_box_state(&part, value);
        if (rc == 0)
            emit_part(io, key, part);
        box_free(part);
    } while (rc == 0 && more);
    if (rc != 0)
        unsaved_abort(io, "a box");
}

struct args_reader {
    struct args *args;
};

static bool read_argument(void *ctx, struct notify_str *ret_block)
{
    struct args_reader *reader = ctx;

    if (args_done(reader->args))
        return false;
    *ret_block = args_at(reader->args, reader->args->pos++);
    return true;
}

static int append_all(struct box **box, const struct box *part)
{
    struct box_range range = {
        .to = NOTIFY_ID_GREATEST, .now_ms = BOX_NEVER_EXPIRE, .filter = BOX_FILTER_ALL};
    struct box_iter iter;
    struct box_entry entry;
    int rc = 0;

    box_iter_init(&iter, part, &range);
    while (rc == 0 && box_iter_next(&iter, &entry))
        rc = box_append(box, &entry);
    return rc;
}

int box_type_restore(struct box **box, struct args *args)
{
    struct args_reader reader = {args};
    struct box_source source = {read_argument, &reader};
    const char *why = NULL;
    struct box *part = box_load(&source, &why);
    uint32_t cursors = 0;
    size_t tokens = 0;
    bool more;
    int rc;

    if (part == NULL || !args_done(args)) {
        box_free(part);
        args_fail(args, "ERR the blocks are no valid payload of a box: %s",
                  part != NULL  ? "there are too many"
                  : why == NULL ? "?"
                                : why);
        return -EINVAL;
    }
    note_epochs(part);
    if (*box == NULL) {
        *box = part; /* the usual case: nothing to append to */
        return 0;
    }
    rc = append_all(box, part);
    if (rc == 0)
        rc = take_cursors(box, part, &cursors, UINT32_MAX);
    if (rc == 0)
        rc = take_tokens(box, part, &tokens, SIZE_MAX, &more);
    if (rc == 0)
        rc = take_box_state(box, part);
    box_free(part);
    if (rc != 0 && rc != -ENOMEM) {
        args_fail(args, "ERR the ids of the payload must be greater than the box's last id");
        rc = -EINVAL;
    }
    return rc;
}

/* ---- the rest ---- */

static void on_free(void *value)
{
    info_drop_box((long long)box_stored(value));
    box_free(value);
}

static void on_unlink(struct rm_optctx *ctx, const void *value)
{
    epoch_note_left(box_epoch(value));
    unlinked_note(ctx, UNLINKED_BOX, box_rev(value));
}

static size_t on_mem_usage(struct rm_optctx *ctx, const void *value, size_t sample_size)
{
    (void)ctx, (void)sample_size; /* exact, and cheap as there are few allocations */
    return box_bytes(value);
}

static size_t on_free_effort(struct rm_optctx *ctx, const void *value)
{
    (void)ctx;
    return box_allocations(value);
}

static void *on_copy(struct rm_optctx *ctx, const void *value)
{
    (void)ctx;
    return count_in(box_copy(value));
}

static void digest_id(struct rm_digest *digest, struct notify_id id)
{
    rm_DigestAddLongLong(digest, (long long)id.ms);
    rm_DigestAddLongLong(digest, (long long)id.seq);
}

static void digest_str(struct rm_digest *digest, struct notify_str text)
{
    rm_DigestAddStringBuffer(digest, text.len == 0 ? "" : text.ptr, text.len);
}

static void digest_entry(struct rm_digest *digest, const struct box_entry *entry)
{
    digest_id(digest, entry->id);
    rm_DigestAddLongLong(digest, entry->kind);
    rm_DigestAddLongLong(digest, entry->level);
    rm_DigestAddLongLong(digest, entry->archived);
    rm_DigestAddLongLong(digest, (long long)entry->read_ms);
    rm_DigestAddLongLong(digest, (long long)entry->seen_ms);
    rm_DigestAddLongLong(digest, (long long)entry->expire_ms);
    digest_str(digest, entry->category);
    digest_str(digest, entry->body);
    rm_DigestEndSequence(digest);
}

/* The saved form of a cursor depends on nothing but what it says. */
/* Each ends a sequence of its own: their order does not matter. */
static void digest_muted(struct rm_digest *digest, const struct box *box)
{
    struct box_category_count *counts = NULL;
    size_t slots = box_category_slots(box);
    size_t count = 0;

    if (slots > 0)
        counts = mem_try_alloc(slots * sizeof counts[0]);
    if (counts != NULL)
        count = box_count_categories(box, BOX_NEVER_EXPIRE, counts, slots);
    for (size_t i = 0; i < count; i++) {
        if (!counts[i].muted)
            continue;
        digest_str(digest, NOTIFY_STR("muted"));
        digest_str(digest, counts[i].category);
        rm_DigestEndSequence(digest);
    }
    mem_free(counts);
}

static void digest_tokens(struct rm_digest *digest, const struct tokens *tokens)
{
    size_t pos = 0;
    struct token token;

    while (tokens != NULL && tokens_next(tokens, &pos, &token)) {
        digest_id(digest, token.id);
        rm_DigestAddLongLong(digest, (long long)token.at_ms);
        digest_str(digest, token.text);
        rm_DigestEndSequence(digest);
    }
    if (tokens != NULL) {
        digest_str(digest, NOTIFY_STR("until"));
        rm_DigestAddLongLong(digest, (long long)tokens->until_ms);
        rm_DigestEndSequence(digest);
    }
}

static void digest_cursors(struct rm_digest *digest, const struct cursors *cursors)
{
    struct text_buf bytes = TEXT_BUF_INIT;

    for (uint32_t i = 0; i < cursors_count(cursors); i++) {
        text_buf_clear(&bytes);
        cursor_save(cursors_at(cursors, i), true, &bytes);
        if (cursors_at(cursors, i)->covers != NULL)
            cursor_covers_save(cursors_at(cursors, i)->covers, &bytes);
        digest_str(digest, text_buf_str(&bytes));
        rm_DigestEndSequence(digest);
    }
    text_buf_release(&bytes);
}

/* What the box says, not how it lies in memory: equal boxes have equal digests on every server, and
 * under every name: epochs are about positions of a key, and stay with it. */
static void on_digest(struct rm_digest *digest, void *value)
{
    struct box_range range = {
        .to = NOTIFY_ID_GREATEST, .now_ms = BOX_NEVER_EXPIRE, .filter = BOX_FILTER_ALL};
    struct box_iter iter;
    struct box_entry entry;

    digest_id(digest, box_last_id(value));
    digest_id(digest, box_trimmed_id(value));
    rm_DigestAddLongLong(digest, (long long)box_rev(value));
    rm_DigestAddLongLong(digest, (long long)box_key_end_ms(value));
    rm_DigestEndSequence(digest);
    digest_muted(digest, value);
    digest_tokens(digest, box_tokens(value));
    box_iter_init(&iter, value, &range);
    while (box_iter_next(&iter, &entry))
        digest_entry(digest, &entry);
    digest_cursors(digest, box_cursors(value));
}

bool box_type_init(struct rm_ctx *ctx)
{
    static struct rm_type_methods methods = {
        .version = RM_TYPE_METHODS_VERSION,
        .rdb_load = on_rdb_load,
        .rdb_save = on_rdb_save,
        .aof_rewrite = on_aof_rewrite,
        .digest = on_digest,
        .free = on_free,
        .mem_usage2 = on_mem_usage,
        .free_effort2 = on_free_effort,
        .unlink2 = on_unlink,
        .copy2 = on_copy,
        .defrag = defrag_box,
    };

    type = rm_CreateDataType(ctx, "notifybox", ENCODING_VERSION, &methods);
    return type != NULL;
}
