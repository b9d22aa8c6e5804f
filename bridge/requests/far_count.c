/* far_count -- what is unread of an inbox and of logs in other slots: BADGE, UNREAD. */
#include <stdlib.h>
#include <string.h>

#include "base/hash_table.h"
#include "requests/far_private.h"

/* The command itself, about the inbox alone. */
static struct words own_words(const struct far *far)
{
    struct words words = {.len = 2, .at = {far->words.name, far->words.inbox}};

    words_add_option(&words, NOTIFY_STR("BY"), far->words.by);
    far_words_add_filters(&words, &far->words);
    return words;
}

static struct words view_words(const struct far *far, size_t i)
{
    struct words words = far_view(far, i);

    words_add_option(&words, NOTIFY_STR("BY"), far->words.by);
    far_words_add_filters(&words, &far->words);
    return words;
}

static bool is_map(const struct resp *reply)
{
    return reply->kind == RESP_MAP || reply->kind == RESP_ARRAY;
}

/* BADGE: its reply, with a share for each log. */

struct badge {
    struct resp *own;
    struct resp **shares; /* in the arena; one for each log */
};

/* What BADGE says of a log. Of one that is not followed nothing is unread. */
static const struct share_field {
    const char *name;
    bool counts;
} share_fields[] = {{"unread", true}, {"unseen", true}, {"last", false},
                    {"rev", false},   {"epoch", false}, {"next_expiry", false}};

#define SHARE_FIELDS (sizeof(share_fields) / sizeof(share_fields[0]))

static bool init_badge(struct far *far)
{
    struct badge *badge = far->state;
    struct resp *list = resp_arena_list(&far->arena, RESP_ARRAY, far->words.logs_len);

    if (list != NULL)
        badge->shares = list->items;
    return list != NULL;
}

static bool on_own_badge(struct far *far, size_t which, const struct resp *reply)
{
    struct badge *badge = far->state;

    (void)which;
    if (!is_map(reply))
        return false;
    badge->own = resp_arena_copy(&far->arena, reply);
    return true;
}

static void ask_own_badge(struct far *far)
{
    struct words words = own_words(far);

    far_send(far, on_own_badge, 0, &words, far->turn.reply_bytes);
}

static bool on_share(struct far *far, size_t i, const struct resp *reply)
{
    struct badge *badge = far->state;
    struct resp *share = resp_arena_list(&far->arena, RESP_MAP, 2 * SHARE_FIELDS);

    for (size_t n = 0; n < SHARE_FIELDS; n++) {
        const struct resp *value = resp_member(reply, share_fields[n].name);
        if (value == NULL)
            return false;
        if (share == NULL)
            continue;
        share->items[2 * n] =
            resp_arena_text(&far->arena, RESP_STRING, notify_str_z(share_fields[n].name));
        share->items[2 * n + 1] = share_fields[n].counts && !far_follows(far, i)
                                      ? resp_arena_integer(&far->arena, 0)
                                      : resp_arena_copy(&far->arena, value);
    }
    badge->shares[i] = share;
    return true;
}

static void ask_share(struct far *far, size_t i)
{
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.BADGE"), far->words.logs[i]}};

    if (far_follows(far, i))
        words = view_words(far, i);
    far_send(far, on_share, i, &words, FAR_COUNTS_BYTES);
}

static void end_badge(struct far *far)
{
    const struct badge *badge = far->state;
    struct resp_arena *arena = &far->arena;
    struct resp *logs = resp_arena_list(arena, RESP_MAP, 2 * far->words.logs_len);
    struct resp *all = arena->failed ? NULL : resp_arena_list(arena, RESP_MAP, badge->own->len + 2);

    for (size_t i = 0; all != NULL && i < far->words.logs_len; i++) {
        logs->items[2 * i] = resp_arena_text(arena, RESP_STRING, far->words.logs[i]);
        logs->items[2 * i + 1] = badge->shares[i];
    }
    if (all != NULL) {
        memcpy(all->items, badge->own->items, badge->own->len * sizeof(all->items[0]));
        all->items[badge->own->len] = resp_arena_text(arena, RESP_STRING, NOTIFY_STR("logs"));
        all->items[badge->own->len + 1] = logs;
    }
    far_answer(far, all);
}

const struct far_kind far_badge = {.name = NOTIFY_STR_INIT("NOTIFY.BADGE"),
                                   .state_bytes = sizeof(struct badge),
                                   .init = init_badge,
                                   .ask_own = ask_own_badge,
                                   .ask_log = ask_share,
                                   .end = end_badge};

/* UNREAD: a number, or with BY how many of each group. */

#define GROUPS_MAX 10000 /* as in the reply of one server */

struct group {
    struct hash_node node; /* first */
    struct notify_str name;
    int64_t count;
};

struct unread {
    int64_t sum;
    struct hash_table groups;
};

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_bytes(&table->key, ((const struct group *)node)->name);
}

static bool init_unread(struct far *far)
{
    return hash_table_init(&((struct unread *)far->state)->groups, hash_of) == 0;
}

static void release_unread(struct far *far)
{
    struct hash_table *groups = &((struct unread *)far->state)->groups;
    struct hash_node *node, *next;

    if (groups->buckets == NULL)
        return;
    HASH_TABLE_FOREACH(node, next, groups)
    {
        free(node);
    }
    hash_table_release(groups);
}

/* NULL: there are too many, or no memory. */
static struct group *group_of(struct hash_table *groups, struct notify_str name)
{
    struct hash_node *n = hash_table_chain(groups, hash_bytes(&groups->key, name));
    struct group *group;
    char *text;

    for (; n != NULL; n = n->next)
        if (notify_str_eq(((struct group *)n)->name, name))
            return (struct group *)n;
    group = groups->count < GROUPS_MAX ? malloc(sizeof(*group) + name.len) : NULL;
    if (group == NULL)
        return NULL;
    text = (char *)(group + 1);
    *group = (struct group){.name = notify_str_keep(&text, name)};
    hash_table_add(groups, &group->node);
    return group;
}

static bool add_groups(struct far *far, const struct resp *map)
{
    struct unread *unread = far->state;

    for (size_t i = 0; i + 1 < map->len; i += 2) {
        struct group *group = group_of(&unread->groups, resp_str(map->items[i]));
        if (group == NULL)
            return false;
        group->count += resp_count(map->items[i + 1]);
    }
    return true;
}

static bool take_count(struct far *far, const struct resp *number, const struct resp *groups)
{
    struct unread *unread = far->state;

    if (far->words.by.len > 0)
        return groups != NULL && is_map(groups) && add_groups(far, groups);
    unread->sum += resp_count(number);
    return number != NULL && number->kind == RESP_INTEGER;
}

static bool on_own_unread(struct far *far, size_t which, const struct resp *reply)
{
    (void)which;
    return take_count(far, reply, reply);
}

static bool on_unread(struct far *far, size_t which, const struct resp *reply)
{
    (void)which;
    return take_count(far, resp_member(reply, "unread"), resp_member(reply, "groups"));
}

static size_t unread_bytes(const struct far *far)
{
    return far->words.by.len > 0 ? far->turn.reply_bytes : FAR_COUNTS_BYTES;
}

static void ask_own_unread(struct far *far)
{
    struct words words = own_words(far);

    far_send(far, on_own_unread, 0, &words, unread_bytes(far));
}

static void ask_unread(struct far *far, size_t i)
{
    struct words words = view_words(far, i);

    if (far_follows(far, i)) /* else nothing of it is */
        far_send(far, on_unread, i, &words, unread_bytes(far));
}

static const struct resp *groups_reply(struct far *far)
{
    const struct hash_table *groups = &((struct unread *)far->state)->groups;
    struct resp *map = resp_arena_list(&far->arena, RESP_MAP, 2 * groups->count);
    struct hash_node *node, *next;
    size_t at = 0;

    if (map == NULL)
        return NULL;
    HASH_TABLE_FOREACH(node, next, groups)
    {
        const struct group *group = (const struct group *)node;
        map->items[at++] = resp_arena_text(&far->arena, RESP_STRING, group->name);
        map->items[at++] = resp_arena_integer(&far->arena, group->count);
    }
    return map;
}

static void end_unread(struct far *far)
{
    const struct unread *unread = far->state;

    far_answer(far, far->words.by.len > 0 ? groups_reply(far)
                                          : resp_arena_integer(&far->arena, unread->sum));
}

const struct far_kind far_unread = {.name = NOTIFY_STR_INIT("NOTIFY.UNREAD"),
                                    .state_bytes = sizeof(struct unread),
                                    .init = init_unread,
                                    .release = release_unread,
                                    .ask_own = ask_own_unread,
                                    .ask_log = ask_unread,
                                    .end = end_unread};
