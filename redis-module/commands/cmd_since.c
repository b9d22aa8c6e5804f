/* cmd_since -- NOTIFY.SINCE: what a client that was away has missed (docs/protocol.md, section 2).
 */
#include "commands/commands.h"

#include "base/limits.h"
#include "server/args.h"
#include "server/box_key.h"
#include "server/config.h"
#include "server/reply.h"
#include "base/scratch.h"
#include "base/mem.h"

enum { COUNT_DEFAULT = 1000 };

/* A position: an id, with the revision and the epoch that go with it if they are known ("id@rev",
 * "id@rev@epoch", "id@@epoch"), or '$' for "from now on". */
struct position {
    struct notify_id id;
    uint64_t rev;
    uint64_t epoch;
    bool has_rev;
    bool has_epoch;
    bool is_now;
};

struct since {
    struct args args;
    int pairs;
    uint64_t count;        /* entries for each key */
    size_t bytes_left;     /* of messages in the whole reply, but for the first of each key */
    struct box_key *boxes; /* owned, one for each pair */
};

/* id@rev, id@rev@epoch, id@@epoch. */
static bool parse_position(struct notify_str text, struct position *ret)
{
    bool is_cut_off = text.ptr[text.len - 1] == '@';
    struct notify_str id = args_cut(&text, '@');
    struct notify_str rev = args_cut(&text, '@');

    ret->has_rev = rev.len > 0;
    ret->has_epoch = text.len > 0;
    return !is_cut_off && notify_id_parse(id, 0, &ret->id) &&
           (!ret->has_rev || args_is_number(rev, 0, UINT64_MAX, &ret->rev)) &&
           (!ret->has_epoch || args_is_number(text, 0, BOX_EPOCH_MAX, &ret->epoch));
}

static bool take_position(struct args *args, struct position *ret_position)
{
    struct notify_str text = args_at(args, args->pos);

    *ret_position = (struct position){.is_now = false};
    if (args_take_keyword(args, "$")) {
        ret_position->is_now = true;
        return true;
    }
    if (text.len == 0 || memchr(text.ptr, '@', text.len) == NULL)
        return args_take_id(args, "id", 0, &ret_position->id);
    args->pos++;
    return parse_position(text, ret_position) ||
           args_fail(args, "ERR id must be an id, id@rev, id@rev@epoch or $");
}

/* Where the pairs end: before COUNT n if it is there, and then the cursor is behind COUNT. */
static int pairs_end(struct args *args, struct rm_string **argv, int argc)
{
    args_init(args, argv, argc, argc - 2);
    return argc > 3 && args_take_keyword(args, "COUNT") ? argc - 2 : argc;
}

static bool parse(struct since *since, struct rm_string **argv, int argc)
{
    struct args *args = &since->args;
    struct position position;
    int end = pairs_end(args, argv, argc);

    since->count = COUNT_DEFAULT;
    if (end < argc && !args_take_number(args, "COUNT", 1, INT64_MAX, &since->count))
        return false;
    since->pairs = (end - 1) / 2;
    if ((end - 1) % 2 != 0)
        return args_fail(args, "ERR syntax error: each key needs an id");
    if (!args_check_count(args, (size_t)since->pairs, LIMIT_KEYS, "keys"))
        return false;
    since->bytes_left = (size_t)config_get()->max_reply_bytes;
    for (int i = 0; i < since->pairs; i++) {
        args->pos = 2 + 2 * i;
        if (!take_position(args, &position))
            return false;
    }
    return true;
}

/* One at least, so that who asks again gets on. Whether others are left. */
static bool reply_entries(struct since *since, struct box_key *bk, const struct render_box *box,
                          uint64_t now_ms, struct notify_id after)
{
    struct box_range range = {.from = notify_id_after(after),
                              .to = NOTIFY_ID_GREATEST,
                              .now_ms = now_ms,
                              .filter = BOX_FILTER_ALL};
    struct notify_id prev;
    struct box_iter iter;
    struct box_entry entry;
    uint64_t done = 0;
    bool more;

    rm_ReplyWithArray(bk->ctx, RM_POSTPONED_LEN);
    box_iter_init(&iter, bk->box, &range);
    more = box_iter_next(&iter, &entry);
    prev = more ? box_id_before(bk->box, entry.id, now_ms) : after;
    while (more && done < since->count && (done == 0 || since->bytes_left > 0)) {
        size_t bytes = reply_entry_json(bk->ctx, box, &entry, prev);
        since->bytes_left -= bytes < since->bytes_left ? bytes : since->bytes_left;
        prev = entry.id;
        done++;
        more = box_iter_next(&iter, &entry);
    }
    rm_ReplySetArrayLength(bk->ctx, (long)done);
    return more;
}

/* What a position is compared with. A key without a box is as an empty one. */
struct present {
    struct notify_id last;
    struct notify_id trimmed;
    uint64_t rev;
    uint32_t epoch;
};

static struct present present_of(const struct box_key *bk)
{
    if (bk->box == NULL)
        return (struct present){.rev = 0};
    return (struct present){box_last_id(bk->box), box_trimmed_id(bk->box), box_rev(bk->box),
                            box_epoch(bk->box)};
}

static bool has_news(const struct present *present, const struct position *position)
{
    return position->is_now || notify_id_cmp(present->last, position->id) != 0 ||
           (position->has_rev && present->rev != position->rev) ||
           (position->has_epoch && present->epoch != position->epoch);
}

/* Whether entries after the position are missing, or the position is none of this box: of another
 * branch, or of a box that was there before. *ret_after: the last id that both have. */
static bool has_gap(const struct box *box, const struct position *position,
                    struct notify_id *ret_after)
{
    *ret_after = position->id;
    if (box == NULL)
        return !position->is_now;
    if (position->is_now) {
        *ret_after = box_last_id(box);
        return false;
    }
    if (position->has_epoch &&
        !box_knows_position(box, (uint32_t)position->epoch, position->id, ret_after))
        return true;
    if (position->has_rev && position->rev > box_rev(box) &&
        (!position->has_epoch || position->epoch == box_epoch(box)))
        return true;
    return box_has_gap(box, position->id);
}

static void reply_box(struct since *since, struct box_key *bk, const struct present *present,
                      const struct position *position)
{
    uint64_t now_ms = box_key_now(bk);
    struct render_box box = {.key = box_key_name(bk), .rev = present->rev};
    struct notify_id after;
    bool gap = has_gap(bk->box, position, &after);
    uint64_t more = 0;

    if (bk->box != NULL)
        box.unread = box_unread(bk->box, now_ms);
    rm_ReplyWithMap(bk->ctx, 11);
    reply_field_str(bk->ctx, "key", box.key);
    reply_field_id(bk->ctx, "last", present->last);
    reply_field_number(bk->ctx, "rev", box.rev);
    reply_field_number(bk->ctx, "epoch", present->epoch);
    reply_field_number(bk->ctx, "unread", box.unread);
    reply_field_id(bk->ctx, "trimmed", present->trimmed);
    reply_field_number(bk->ctx, "gap", gap);
    reply_field_number(bk->ctx, "next_expiry", box_key_next_expiry(bk));
    reply_field_id(bk->ctx, "after", after);
    reply_str(bk->ctx, NOTIFY_STR("entries"));
    if (bk->box == NULL || position->is_now)
        rm_ReplyWithArray(bk->ctx, 0);
    else
        more = reply_entries(since, bk, &box, now_ms, after);
    reply_field_number(bk->ctx, "more", more);
}

static void close_boxes(struct since *since, int count)
{
    for (int i = 0; i < count; i++)
        box_key_close(&since->boxes[i]);
    mem_free(since->boxes);
}

/* Each key is looked up once, before the reply begins: one of another type refuses the command. */
static bool open_boxes_or_reply(struct rm_ctx *ctx, struct since *since)
{
    since->boxes = mem_try_alloc((size_t)since->pairs * sizeof since->boxes[0]);
    if (since->boxes == NULL) {
        (void)reply_no_memory(ctx);
        return false;
    }
    for (int i = 0; i < since->pairs; i++) {
        if (!box_key_open_or_reply(&since->boxes[i], ctx, since->args.argv[1 + 2 * i], RM_READ)) {
            close_boxes(since, i);
            return false;
        }
    }
    return true;
}

static long reply_boxes(struct since *since)
{
    struct position position;
    long answered = 0;

    for (int i = 0; i < since->pairs; i++) {
        struct present present = present_of(&since->boxes[i]);
        since->args.pos = 2 + 2 * i;
        (void)take_position(&since->args, &position); /* checked before */
        if (!has_news(&present, &position))
            continue;
        reply_box(since, &since->boxes[i], &present, &position);
        answered++;
    }
    return answered;
}

/* COUNT at the end stands where a key could: no key specification can tell, so the server asks. */
static int tell_keys(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct args args;
    int end = pairs_end(&args, argv, argc);

    for (int i = 1; i < end; i += 2)
        rm_KeyAtPosWithFlags(ctx, i, RM_KEY_RO | RM_KEY_ACCESS);
    return RM_OK;
}

/* NOTIFY.SINCE key id[@rev[@epoch]]|$ [key id[@rev[@epoch]]|$ …] [COUNT n] */
int cmd_since(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct since since;

    if (rm_IsKeysPositionRequest(ctx))
        return tell_keys(ctx, argv, argc);
    if (!parse(&since, argv, argc))
        return reply_args_error(ctx, &since.args);
    if (!open_boxes_or_reply(ctx, &since))
        return RM_OK;
    rm_ReplyWithArray(ctx, RM_POSTPONED_LEN);
    rm_ReplySetArrayLength(ctx, reply_boxes(&since));
    close_boxes(&since, since.pairs);
    scratch_shrink();
    return RM_OK;
}
