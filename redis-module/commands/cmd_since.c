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

/* A position: an id, an id and the revision that goes with it ("id@rev"), or '$' for "from now on".
 */
struct position {
    struct notify_id id;
    uint64_t rev;
    bool has_rev;
    bool is_now;
};

struct since {
    struct args args;
    int pairs;
    uint64_t count;        /* entries for each key */
    size_t bytes_left;     /* of messages in the whole reply, but for the first of each key */
    struct box_key *boxes; /* owned, one for each pair */
};

static bool take_position(struct args *args, struct position *ret_position)
{
    struct notify_str text = args_at(args, args->pos);
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, '@', text.len);
    struct notify_str rev;

    *ret_position = (struct position){.is_now = false};
    if (args_take_keyword(args, "$")) {
        ret_position->is_now = true;
        return true;
    }
    if (at == NULL)
        return args_take_id(args, "id", 0, &ret_position->id);
    args->pos++;
    ret_position->has_rev = true;
    rev = notify_str_of(at + 1, text.len - (size_t)(at + 1 - text.ptr));
    if (!notify_id_parse(notify_str_of(text.ptr, (size_t)(at - text.ptr)), 0, &ret_position->id) ||
        !notify_id_take_number(&rev, &ret_position->rev) || rev.len > 0)
        return args_fail(args, "ERR id must be an id, id@rev or $");
    return true;
}

/* Arguments come in pairs; COUNT n, if it is there, is the last one. */
static bool parse(struct since *since, struct rm_string **argv, int argc)
{
    struct args *args = &since->args;
    struct position position;
    int end = argc;

    args_init(args, argv, argc, argc - 2);
    since->count = COUNT_DEFAULT;
    if (argc > 3 && args_take_keyword(args, "COUNT")) {
        if (!args_take_number(args, "COUNT", 1, INT64_MAX, &since->count))
            return false;
        end = argc - 2;
    }
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
                              .to = {UINT64_MAX, UINT64_MAX},
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

/* A key without a box is as an empty one: last id 0-0, revision 0. */
static bool has_news(const struct box_key *bk, const struct position *position)
{
    struct notify_id last = {0, 0};
    uint64_t rev = 0;

    if (bk->box != NULL) {
        last = box_last_id(bk->box);
        rev = box_rev(bk->box);
    }
    return position->is_now || notify_id_cmp(last, position->id) != 0 ||
           (position->has_rev && rev != position->rev);
}

static void reply_box(struct since *since, struct box_key *bk, const struct position *position)
{
    uint64_t now_ms = box_key_now(bk);
    struct render_box box = {.key = box_key_name(bk)};
    struct notify_id last = {0, 0}, trimmed = {0, 0};
    uint64_t more = 0;
    bool gap = !position->is_now && bk->box == NULL;

    if (bk->box != NULL) {
        box.rev = box_rev(bk->box);
        box.unread = box_unread(bk->box, now_ms);
        last = box_last_id(bk->box);
        trimmed = box_trimmed_id(bk->box);
        gap = !position->is_now && box_has_gap(bk->box, position->id);
    }
    rm_ReplyWithMap(bk->ctx, 9);
    reply_field_str(bk->ctx, "key", box.key);
    reply_field_id(bk->ctx, "last", last);
    reply_field_number(bk->ctx, "rev", box.rev);
    reply_field_number(bk->ctx, "unread", box.unread);
    reply_field_id(bk->ctx, "trimmed", trimmed);
    reply_field_number(bk->ctx, "gap", gap);
    reply_field_number(bk->ctx, "next_expiry", box_key_next_expiry(bk));
    reply_str(bk->ctx, NOTIFY_STR("entries"));
    if (bk->box == NULL || position->is_now)
        rm_ReplyWithArray(bk->ctx, 0);
    else
        more = reply_entries(since, bk, &box, now_ms, position->id);
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
        since->args.pos = 2 + 2 * i;
        (void)take_position(&since->args, &position); /* checked before */
        if (!has_news(&since->boxes[i], &position))
            continue;
        reply_box(since, &since->boxes[i], &position);
        answered++;
    }
    return answered;
}

/* COUNT at the end stands where a key could: no key specification can tell, so the server asks. */
static int tell_keys(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct args args;
    int end = argc;

    args_init(&args, argv, argc, argc - 2);
    if (argc > 3 && args_take_keyword(&args, "COUNT"))
        end = argc - 2;
    for (int i = 1; i < end; i += 2)
        rm_KeyAtPosWithFlags(ctx, i, RM_KEY_RO | RM_KEY_ACCESS);
    return RM_OK;
}

/* NOTIFY.SINCE key id[@rev]|$ [key id[@rev]|$ …] [COUNT n] */
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
