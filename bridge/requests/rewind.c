#include "requests/rewind.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"

#define PORTION 26 /* entries that are asked for at once, as for a history */
#define PORTION_BYTES ((size_t)PORTION * 65536)

struct rewind {
    const struct rewind_kind *kind;
    void *ctx; /* owned until kind->found is called */
    struct rewind_wish wish;
    struct position from;                /* as far as it is known */
    size_t found, asked;                 /* entries; of those the last portion was to have */
    char before[NOTIFY_ID_TEXT_MAX + 2]; /* where the next portion begins: "(id", or an id */
    char asked_text[NUMBER_TEXT_MAX + 1];
    size_t key_len;
    char key[];
};

static void rewind_free(void *ctx)
{
    struct rewind *rewind = ctx;

    if (rewind->ctx != NULL)
        rewind->kind->release(rewind->ctx);
    free(rewind);
}

static void finish(struct request *r, struct rewind *rewind)
{
    void *ctx = rewind->ctx;

    rewind->ctx = NULL;
    rewind->kind->found(r, &rewind->from, ctx);
    rewind_free(rewind);
}

static void on_portion(struct request *r, const struct resp *portion, void *ctx);

static const struct call_kind portion_kind = {.fn = on_portion,
                                              .release = rewind_free,
                                              .answer_bytes = CALL_SMALL_ANSWER,
                                              .reply_bytes = PORTION_BYTES,
                                              .reads = true};

/* The newest ones before. */
static void ask_for_portion(struct request *r, struct rewind *rewind)
{
    size_t lacking = rewind->wish.last - rewind->found;
    struct words words = {.len = 3,
                          .at = {NOTIFY_STR("NOTIFY.REVRANGE"),
                                 notify_str_of(rewind->key, rewind->key_len),
                                 notify_str_z(rewind->before)}};

    rewind->asked = lacking < PORTION ? lacking : PORTION;
    words_add(&words, NOTIFY_STR("-"));
    words_add_option(&words, NOTIFY_STR("COUNT"), number_text(rewind->asked_text, rewind->asked));
    words_add(&words, NOTIFY_STR("ALL")); /* as who follows gets them */
    call_send(r, &portion_kind, rewind, &words);
}

/* The id of an entry as the command replies it; false: it is none. */
static bool id_of(const struct resp *entry, struct notify_id *ret)
{
    return entry->kind == RESP_ARRAY && entry->len > 0 &&
           notify_id_parse(resp_str(entry->items[0]), 0, ret);
}

static void on_portion(struct request *r, const struct resp *portion, void *ctx)
{
    struct rewind *rewind = ctx;
    struct notify_id id;

    if (portion->len > 0) {
        if (!id_of(portion->items[portion->len - 1], &id)) {
            answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "unexpected reply");
            rewind_free(rewind);
            return;
        }
        rewind->from.id = notify_id_before(id);
        rewind->found += portion->len;
        rewind->before[0] = '(';
        notify_id_format(rewind->before + 1, id);
    }
    if (portion->len < rewind->asked || rewind->found >= rewind->wish.last)
        finish(r, rewind);
    else
        ask_for_portion(r, rewind);
}

/* Nothing from this instant on stands before it. */
static struct notify_id before_instant(uint64_t ms)
{
    return notify_id_before((struct notify_id){ms, 0});
}

/* Where the box ends now. What comes while the rest is found out stands behind that, and so is had,
 * too. */
static void on_end(struct request *r, const struct resp *boxes, void *ctx)
{
    struct rewind *rewind = ctx;
    const struct resp *box = boxes->len > 0 ? boxes->items[0] : NULL;
    struct notify_id last, since = before_instant(rewind->wish.since_ms);

    if (!notify_id_parse(resp_str(resp_member(box, "last")), 0, &last)) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "unexpected reply");
        rewind_free(rewind);
        return;
    }
    rewind->from.id = last;
    rewind->from.epoch = (uint32_t)resp_integer(resp_member(box, "epoch"), 0);
    notify_id_format(rewind->before, last);
    if (rewind->wish.last > 0) {
        ask_for_portion(r, rewind);
        return;
    }
    if (notify_id_cmp(since, last) < 0)
        rewind->from.id = since;
    finish(r, rewind);
}

static const struct call_kind end_kind = {
    .fn = on_end, .release = rewind_free, .answer_bytes = CALL_SMALL_ANSWER, .reads = true};

void rewind_find(struct request *r, struct notify_str key, const struct rewind_wish *wish,
                 const struct rewind_kind *kind, void *ctx)
{
    struct words words = {.len = 3, .at = {NOTIFY_STR("NOTIFY.SINCE"), key, NOTIFY_STR("$")}};
    struct rewind *rewind = calloc(1, sizeof(*rewind) + key.len);

    if (rewind == NULL) {
        kind->release(ctx);
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    rewind->kind = kind;
    rewind->ctx = ctx;
    rewind->wish = *wish;
    rewind->key_len = key.len;
    memcpy(rewind->key, key.ptr, key.len);
    call_send(r, &end_kind, rewind, &words);
}
