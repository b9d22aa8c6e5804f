#include "requests/marking.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "identity/key_names.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/item.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "requests/tally.h"
#include "wire/json_text.h"

struct marking {
    struct tally *tally; /* owned until the end */
    struct notify_str state, filter;
    json_t *ids; /* owned; NULL: all that filter finds */
    size_t next; /* of ids; or of the logs of tally */
    bool ends;   /* the portion under way is the last of its log */
    char from[NOTIFY_ID_TEXT_MAX + 2], upto[NOTIFY_ID_TEXT_MAX + 1];
};

static void marking_free(void *ctx)
{
    struct marking *marking = ctx;

    if (marking->tally != NULL)
        tally_free(marking->tally);
    json_decref(marking->ids);
    free(marking);
}

/* Takes tally over. NULL: out of memory, and r has been answered. */
static struct marking *marking_new(struct request *r, struct tally *tally, struct notify_str state)
{
    struct marking *marking = calloc(1, sizeof(*marking));

    if (marking == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        tally_free(tally);
        return NULL;
    }
    marking->tally = tally;
    marking->state = state;
    return marking;
}

static void finish(struct request *r, struct marking *marking)
{
    struct tally *tally = marking->tally;

    marking->tally = NULL;
    marking_free(marking);
    tally_send(r, tally);
}

static struct notify_str log_of(const struct marking *marking)
{
    return marking->tally->logs[marking->ids == NULL ? marking->next : 0];
}

static void on_portion(struct request *r, const struct resp *portion, void *ctx);
static void on_marked(struct request *r, const struct resp *reply, void *ctx);

static const struct call_kind portion_kind = {.fn = on_portion,
                                              .release = marking_free,
                                              .answer_bytes = TALLY_ANSWER_BYTES,
                                              .reply_bytes = TURNS_ENTRIES_BYTES};
static const struct call_kind marked_kind = {.fn = on_marked,
                                             .release = marking_free,
                                             .answer_bytes = TALLY_ANSWER_BYTES,
                                             .reply_bytes = CALL_SMALL_ANSWER};

/* Reading. */

static void add_ids(struct words *words, struct marking *marking)
{
    for (size_t n = 0; n < TURNS_ENTRIES && marking->next < json_array_size(marking->ids); n++)
        words_add(words, json_text_of(json_array_get(marking->ids, marking->next++)));
}

static void ask_portion(struct request *r, struct marking *marking)
{
    struct key_buffer buffer;
    char count[NUMBER_TEXT_MAX + 1];
    struct words words = {.len = 2,
                          .at = {NOTIFY_STR("NOTIFY.RANGE"), request_inbox_of(r, &buffer)}};

    if (marking->ids != NULL) {
        words.at[0] = NOTIFY_STR("NOTIFY.GET");
        add_ids(&words, marking);
    } else {
        words_add(&words, notify_str_z(marking->from));
        words_add(&words, notify_str_z(marking->upto));
        words_add_option(&words, NOTIFY_STR("COUNT"), number_text(count, TURNS_ENTRIES));
        words_add(&words, marking->filter);
    }
    words_add_option(&words, NOTIFY_STR("LOG"), log_of(marking));
    words_add(&words, NOTIFY_STR("JSON"));
    call_send(r, &portion_kind, marking, &words);
}

static void go_on(struct request *r, struct marking *marking)
{
    bool more;

    if (marking->ids != NULL) {
        more = marking->next < json_array_size(marking->ids);
    } else {
        if (marking->ends)
            memcpy(marking->from, "-", 2);
        marking->next += marking->ends;
        more = marking->next < marking->tally->logs_len;
    }
    if (more)
        ask_portion(r, marking);
    else
        finish(r, marking);
}

/* Marking. */

static void on_marked(struct request *r, const struct resp *reply, void *ctx)
{
    struct marking *marking = ctx;

    marking->tally->changed += resp_count(reply);
    go_on(r, marking);
}

/* Entries of a portion that are to be marked. */
struct chosen {
    char ids[TURNS_ENTRIES][NOTIFY_ID_TEXT_MAX + 1];
    size_t len;
};

static void choose(const struct request *r, struct marking *marking, const struct resp *portion,
                   struct chosen *ret)
{
    struct key_buffer buffer;
    struct notify_str inbox = request_inbox_of(r, &buffer);
    struct item item;

    ret->len = 0;
    for (size_t i = 0; i < portion->len && i < TURNS_ENTRIES; i++) {
        if (!item_read(portion->items[i], inbox, &item)) /* there is none with this id */
            continue;
        marking->from[0] = '(';
        notify_id_format(marking->from + 1, item.id);
        if (item_is_shown(r, &item))
            notify_id_format(ret->ids[ret->len++], item.id);
    }
}

static void on_portion(struct request *r, const struct resp *portion, void *ctx)
{
    struct marking *marking = ctx;
    struct key_buffer buffer;
    struct chosen chosen;
    struct words words = {
        .len = 3, .at = {NOTIFY_STR("NOTIFY.MARK"), request_inbox_of(r, &buffer), marking->state}};

    choose(r, marking, portion, &chosen);
    marking->ends = portion->len < TURNS_ENTRIES;
    if (chosen.len == 0) {
        go_on(r, marking);
        return;
    }
    for (size_t i = 0; i < chosen.len; i++)
        words_add(&words, notify_str_z(chosen.ids[i]));
    words_add_option(&words, NOTIFY_STR("LOG"), log_of(marking));
    call_send(r, &marked_kind, marking, &words);
}

/* Beginnings. */

void marking_ids(struct request *r, struct tally *tally, struct notify_str state, json_t *ids)
{
    struct marking *marking = marking_new(r, tally, state);

    if (marking == NULL)
        return;
    marking->ids = json_incref(ids);
    ask_portion(r, marking);
}

void marking_all(struct request *r, struct tally *tally, struct notify_str state,
                 struct notify_str filter, struct notify_str upto)
{
    struct marking *marking = marking_new(r, tally, state);
    struct notify_id id;

    if (marking == NULL)
        return;
    marking->filter = filter;
    memcpy(marking->from, "-", 2);
    memcpy(marking->upto, "+", 2);
    if (notify_id_parse(upto, UINT64_MAX, &id))
        notify_id_format(marking->upto, id);
    go_on(r, marking);
}
