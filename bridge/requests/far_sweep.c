/* far_sweep -- READALL and SEEN of an inbox and of logs in other slots.
 *
 * Each log says up to where it goes and how much that is; then all is changed in the inbox. Of one
 * category the inbox cannot be told so: what of it is unread is read entry by entry, and then what
 * is put away and unread. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "notify_id.h"
#include "requests/far_private.h"

struct log_sweep {
    int64_t count;         /* of those that will change, but for what is put away */
    struct notify_id last; /* of the log */
    struct notify_id read; /* up to there all is read, what is put away, too */
};

struct sweep {
    struct log_sweep *logs; /* owned */
    int64_t changed;
    bool ends; /* the changes are under way */
    /* Of a category: the page of the log that is looked at. */
    char ids[TURNS_ENTRIES][NOTIFY_ID_TEXT_MAX + 1];
    size_t ids_len, page_len;
    char from[NOTIFY_ID_TEXT_MAX + 2]; /* empty: from the first */
    char read[NOTIFY_ID_TEXT_MAX + 1]; /* up to there all is read */
    bool away;                         /* it is one of those that are put away */
    bool marks, tidies, tidied;
};

static bool is_of_category(const struct far *far)
{
    return far->words.filters_len > 0;
}

static bool init(struct far *far)
{
    struct sweep *sweep = far->state;

    if (is_of_category(far))
        far->at_once = 1;
    sweep->logs = calloc(far->words.logs_len, sizeof(*sweep->logs));
    return sweep->logs != NULL;
}

static void release(struct far *far)
{
    free(((struct sweep *)far->state)->logs);
}

static struct notify_str filter(const struct far *far)
{
    if (((const struct sweep *)far->state)->away)
        return NOTIFY_STR("ARCHIVED");
    return far->kind == &far_seen ? NOTIFY_STR("UNSEEN") : NOTIFY_STR("UNREAD");
}

/* Looking. */

static struct words look_words(const struct far *far, size_t i)
{
    const struct sweep *sweep = far->state;
    struct words words = far_view(far, i);

    words_add(&words, NOTIFY_STR("RANGE"));
    words_add(&words, sweep->from[0] == '\0' ? NOTIFY_STR("-") : notify_str_z(sweep->from));
    words_add(&words, far->words.upto.len > 0 ? far->words.upto : NOTIFY_STR("+"));
    words_add(&words, filter(far));
    far_words_add_filters(&words, &far->words);
    return words;
}

static bool on_counted(struct far *far, size_t i, const struct resp *reply)
{
    struct log_sweep *log = &((struct sweep *)far->state)->logs[i];

    log->count = resp_integer(resp_member(reply, "total"), -1);
    return log->count >= 0 &&
           notify_id_parse(resp_str(resp_member(reply, "last")), 0, &log->last) &&
           notify_id_parse(resp_str(resp_member(reply, "read")), 0, &log->read);
}

static void count(struct far *far, size_t i)
{
    struct words words = look_words(far, i);

    words_add_option(&words, NOTIFY_STR("COUNT"), NOTIFY_STR("0"));
    words_add(&words, NOTIFY_STR("TOTAL"));
    far_send(far, on_counted, i, &words, FAR_COUNTS_BYTES);
}

/* [id, fields]; what is put away may have been read. */
static bool take_id(struct sweep *sweep, const struct resp *entry)
{
    struct notify_id id;

    if (entry->kind != RESP_ARRAY || entry->len != 2 ||
        !notify_id_parse(resp_str(entry->items[0]), 0, &id))
        return false;
    if (resp_member(entry->items[1], "read") == NULL)
        notify_id_format(sweep->ids[sweep->ids_len++], id);
    sweep->from[0] = '(';
    notify_id_format(sweep->from + 1, id);
    return true;
}

static bool on_page(struct far *far, size_t which, const struct resp *reply)
{
    const struct resp *entries = resp_member(reply, "entries");
    struct sweep *sweep = far->state;
    struct notify_id read;

    (void)which;
    if (entries == NULL || entries->kind != RESP_ARRAY || entries->len > TURNS_ENTRIES ||
        !notify_id_parse(resp_str(resp_member(reply, "read")), 0, &read))
        return false;
    notify_id_format(sweep->read, read);
    sweep->page_len = entries->len;
    sweep->ids_len = 0;
    sweep->tidied = false;
    for (size_t i = 0; i < entries->len; i++)
        if (!take_id(sweep, entries->items[i]))
            return false;
    sweep->marks = sweep->ids_len > 0;
    return true;
}

static void ask_page(struct far *far, size_t i)
{
    struct words words = look_words(far, i);
    char number[NUMBER_TEXT_MAX + 1];

    words_add_option(&words, NOTIFY_STR("COUNT"), number_text(number, TURNS_ENTRIES));
    far_send(far, on_page, i, &words, TURNS_ENTRIES_BYTES);
}

static void ask_log(struct far *far, size_t i)
{
    struct sweep *sweep = far->state;

    sweep->page_len = 0;
    if (!far_follows(far, i))
        return;
    if (is_of_category(far))
        ask_page(far, i);
    else
        count(far, i);
}

/* A page of a category. */

static bool on_marked(struct far *far, size_t which, const struct resp *reply)
{
    struct sweep *sweep = far->state;

    (void)which;
    if (resp_is_error(reply, "LIMIT") && !sweep->tidied) {
        sweep->tidies = sweep->marks = true;
        return true;
    }
    sweep->changed += resp_count(reply);
    return reply->kind == RESP_INTEGER;
}

static void mark_page(struct far *far)
{
    struct sweep *sweep = far->state;
    struct words words = {.len = 3,
                          .at = {NOTIFY_STR("NOTIFY.MARK"), far->words.inbox, NOTIFY_STR("READ")}};

    for (size_t i = 0; i < sweep->ids_len; i++)
        words_add(&words, notify_str_z(sweep->ids[i]));
    words_add_option(&words, NOTIFY_STR("LOG"), far->words.logs[far->from]);
    words_add(&words, NOTIFY_STR("BYNAME"));
    sweep->marks = false;
    far_send(far, on_marked, 0, &words, FAR_COUNTS_BYTES);
}

static bool on_number(struct far *far, size_t which, const struct resp *reply)
{
    (void)far;
    (void)which;
    return reply->kind == RESP_INTEGER;
}

/* The inbox knows what it has read up to an id; BYNAME. */
static struct words upto_words(const struct far *far, struct notify_str command, const char *upto,
                               size_t log)
{
    struct words words = {.len = 2, .at = {command, far->words.inbox}};

    words_add_option(&words, NOTIFY_STR("UPTO"), notify_str_z(upto));
    words_add_option(&words, NOTIFY_STR("LOG"), far->words.logs[log]);
    words_add(&words, NOTIFY_STR("BYNAME"));
    return words;
}

/* Then it need not note of the single ones before there that they are read. */
static void tidy(struct far *far)
{
    struct sweep *sweep = far->state;
    struct words words = upto_words(far, far->words.name, sweep->read, far->from);

    sweep->tidies = false;
    sweep->tidied = true;
    far_send(far, on_number, 0, &words, FAR_COUNTS_BYTES);
}

/* Of the same log, or else false. */
static bool look_at_next(struct far *far)
{
    struct sweep *sweep = far->state;

    sweep->from[0] = '\0';
    sweep->away = !sweep->away && far_follows(far, far->from);
    if (sweep->away)
        far_ask_cursors(far);
    return sweep->away;
}

/* What is read then, the cursor has to be asked for again. */
static bool behind_logs(struct far *far)
{
    struct sweep *sweep = far->state;

    if (!is_of_category(far))
        return false;
    if (sweep->tidies)
        tidy(far);
    else if (sweep->marks)
        mark_page(far);
    else if (sweep->page_len == TURNS_ENTRIES)
        far_ask_cursors(far);
    else
        return look_at_next(far);
    return true;
}

/* All logs have been looked at. */

static bool on_own(struct far *far, size_t which, const struct resp *reply)
{
    (void)which;
    ((struct sweep *)far->state)->changed += resp_count(reply);
    return reply->kind == RESP_INTEGER;
}

static void change_own(struct far *far)
{
    struct words words = {.len = 2, .at = {far->words.name, far->words.inbox}};

    words_add_option(&words, NOTIFY_STR("UPTO"), far->words.upto);
    far_words_add_filters(&words, &far->words);
    far_send(far, on_own, 0, &words, FAR_COUNTS_BYTES);
}

/* The inbox says only whether anything has changed. */
static bool on_log(struct far *far, size_t i, const struct resp *reply)
{
    struct sweep *sweep = far->state;

    if (resp_count(reply) > 0)
        sweep->changed += sweep->logs[i].count;
    return reply->kind == RESP_INTEGER;
}

/* What is put away is read and seen with the rest, though not counted. */
static bool may_change(const struct far *far, const struct log_sweep *log, struct notify_id upto)
{
    if (notify_id_is_zero(upto))
        return false;
    return log->count > 0 || far->kind == &far_seen || notify_id_cmp(log->read, upto) < 0;
}

static void change_log(struct far *far, size_t i)
{
    const struct log_sweep *log = &((struct sweep *)far->state)->logs[i];
    struct notify_id upto = log->last, wanted;
    char text[NOTIFY_ID_TEXT_MAX + 1];
    struct words words;

    if (notify_id_parse(far->words.upto, UINT64_MAX, &wanted) && notify_id_cmp(wanted, upto) < 0)
        upto = wanted;
    if (!may_change(far, log, upto))
        return;
    notify_id_format(text, upto);
    words = upto_words(far, far->words.name, text, i);
    far_send(far, on_log, i, &words, FAR_COUNTS_BYTES);
}

static void end(struct far *far)
{
    struct sweep *sweep = far->state;

    if (sweep->ends) {
        far_answer(far, resp_arena_integer(&far->arena, sweep->changed));
        return;
    }
    sweep->ends = true;
    if (far->words.many)
        change_own(far);
    for (size_t i = 0; i < far->words.logs_len; i++)
        change_log(far, i);
}

#define SWEEP_KIND(of)                                                                             \
    {                                                                                              \
        .name = NOTIFY_STR_INIT(of), .state_bytes = sizeof(struct sweep), .init = init,            \
        .release = release, .ask_log = ask_log, .behind_logs = behind_logs, .end = end             \
    }

const struct far_kind far_readall = SWEEP_KIND("NOTIFY.READALL");
const struct far_kind far_seen = SWEEP_KIND("NOTIFY.SEEN");
