/* request_category -- subscribe_category, unsubscribe_category: what a client gets of logs;
 * categories: which there are. */
#include "requests/request_handlers.h"

#include <stdlib.h>

#include "clients/categories.h"
#include "clients/logs.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/box_info.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "wire/json_text.h"

static void answer_choice(struct request *r, enum category_answer answer, const char *status)
{
    struct notify_str category = request_text(r, "category");

    switch (answer) {
    case CATEGORY_DONE:
        answer_json(r, json_pack("{s:s, s:s%, s:s}", "type", "subscription", "category",
                                 category.ptr, category.len, "status", status));
        break;
    case CATEGORY_FORBIDDEN:
        answer_lacks_right(r, "category", RIGHT_PERMITTED, category);
        break;
    case CATEGORY_TOO_MANY:
        answer_error(r, ANSWER_TOO_MANY_SUBSCRIPTIONS, "category",
                     "this connection has chosen as many categories as it may");
        break;
    case CATEGORY_NO_MEMORY:
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        break;
    }
}

void request_handle_subscribe_category(struct request *r)
{
    answer_choice(r, categories_join(r->client, request_text(r, "category")), "subscribed");
}

void request_handle_unsubscribe_category(struct request *r)
{
    answer_choice(r, categories_leave(r->client, request_text(r, "category")), "unsubscribed");
}

/* categories: those that are muted, that may be seen, and that there are. */

#define LIST_BYTES 65536 /* of each of the three; a longer one is null */

struct listing {
    json_t *muted;   /* owned array */
    json_t *present; /* owned object: names */
    size_t next;     /* of the logs, to be asked */
};

static void listing_free(void *ctx)
{
    struct listing *listing = ctx;

    json_decref(listing->muted);
    json_decref(listing->present);
    free(listing);
}

static void on_inbox_info(struct request *r, const struct resp *reply, void *ctx);
static void on_log_info(struct request *r, const struct resp *reply, void *ctx);

#define LISTING_CALL(handler)                                                                      \
    {                                                                                              \
        .fn = handler, .release = listing_free,                                                    \
        .answer_bytes = 3 * LIST_BYTES + CALL_SMALL_ANSWER, .reply_bytes = BOX_INFO_BYTES,         \
        .reads = true, .takes_errors = true                                                        \
    }
static const struct call_kind inbox_info_kind = LISTING_CALL(on_inbox_info);
static const struct call_kind log_info_kind = LISTING_CALL(on_log_info);

/* Takes list over. */
static json_t *bounded(json_t *list)
{
    if (json_dumpb(list, NULL, 0, JSON_COMPACT) <= LIST_BYTES)
        return list;
    json_decref(list);
    return json_null();
}

static json_t *names_of(const json_t *object)
{
    json_t *array = json_array();
    const json_t *value;
    const char *name;

    json_object_foreach((json_t *)object, name, value)
    {
        (void)json_array_append_new(array, json_string(name));
    }
    return array;
}

static void finish(struct request *r, struct listing *listing)
{
    answer_json(r, json_pack("{s:s, s:o, s:o, s:o}", "type", "categories", "muted",
                             bounded(json_incref(listing->muted)), "permitted",
                             bounded(categories_permitted(r->identity)), "present",
                             bounded(names_of(listing->present))));
    listing_free(listing);
}

/* of_log: those that may not be seen are left out. */
static void note_present(const struct request *r, struct listing *listing, const struct resp *reply,
                         bool of_log)
{
    json_t *names = box_info_categories(reply, "length");
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (!of_log || categories_may_get(r->identity, json_text_of(name)))
            (void)json_object_set_new(listing->present, json_string_value(name), json_null());
    }
    json_decref(names);
}

static void ask_next_log(struct request *r, struct listing *listing)
{
    const struct logs *logs = logs_of(r->shared, r->identity);
    struct words words = {.len = 1, .at = {NOTIFY_STR("NOTIFY.INFO")}};

    if (listing->next >= logs->len) {
        finish(r, listing);
        return;
    }
    words_add(&words, logs->at[listing->next++]);
    call_send(r, &log_info_kind, listing, &words);
}

static void take_info(struct request *r, const struct resp *reply, struct listing *listing,
                      bool of_log)
{
    if (!box_info_is_answer(reply)) {
        answer_failed_reply(r, reply);
        listing_free(listing);
        return;
    }
    note_present(r, listing, reply, of_log);
    ask_next_log(r, listing);
}

static void on_inbox_info(struct request *r, const struct resp *reply, void *ctx)
{
    struct listing *listing = ctx;

    listing->muted = box_info_categories(reply, "muted");
    take_info(r, reply, listing, false);
}

static void on_log_info(struct request *r, const struct resp *reply, void *ctx)
{
    take_info(r, reply, ctx, true);
}

void request_handle_categories(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {.len = 2,
                          .at = {NOTIFY_STR("NOTIFY.INFO"), request_inbox_of(r, &buffer)}};
    struct listing *listing;

    if (!request_has_inbox(r))
        return;
    listing = calloc(1, sizeof(*listing));
    if (listing == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    listing->present = json_object();
    call_send(r, &inbox_info_kind, listing, &words);
}
