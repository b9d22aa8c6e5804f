/* rest_list -- the notifications of a user over HTTP, of his inbox and the logs that it follows as
 * one list: page by page, by number or by cursor; how many are unread; and all of them read. */
#include "requests/rest_calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/number.h"
#include "identity/identity.h"
#include "clients/following.h"
#include "clients/logs.h"
#include "requests/answer.h"
#include "requests/history.h"
#include "requests/http_tag.h"
#include "requests/item.h"
#include "requests/request.h"
#include "requests/request_run.h"
#include "requests/rest_id.h"
#include "requests/rest_item.h"
#include "requests/tally.h"
#include "wire/inbound.h"
#include "wire/json_text.h"
#include "wire/text.h"

#define PAGE_SIZE_DEFAULT 20
#define PAGE_BYTES 1048576 /* of items; one alone may be larger */

/* Where the list begins: at a page by its number, or behind a cursor. */
struct listing {
    size_t page, page_size; /* page 0: by cursor */
    struct notify_str before, category, type;
    bool unread_only;
    bool is_far;   /* the page begins behind what Redis passes over */
    bool by_bytes; /* its tag is that of its bytes */
    char texts[];
};

/* Cursors: a position in the feed, which nobody need understand. */

#define CURSOR_MAX BASE64URL_ENCODED_LEN(HISTORY_POSITION_MAX)

static bool is_position(struct notify_str text)
{
    const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    struct notify_id id;

    return colon != NULL && text.len <= HISTORY_POSITION_MAX &&
           notify_id_parse(notify_str_of(text.ptr, (size_t)(colon - text.ptr)), 0, &id);
}

static bool read_cursor(struct request *r, uint8_t out[BASE64URL_DECODED_MAX(CURSOR_MAX)],
                        struct notify_str *ret)
{
    struct notify_str text = request_text(r, "cursor");
    ssize_t len = text.len > CURSOR_MAX ? -1 : base64url_decode(out, text);

    *ret = notify_str_of((const char *)out, len < 0 ? 0 : (size_t)len);
    if (text.len == 0 || is_position(*ret))
        return true;
    answer_error(r, ANSWER_INVALID_FIELD, "cursor",
                 "cursor must be what an answer calls next, or be left out");
    return false;
}

/* A page. */

static size_t offset_of(const struct listing *listing)
{
    return listing->page == 0 ? 0 : (listing->page - 1) * listing->page_size;
}

static bool append(void *ctx, struct notify_str piece)
{
    return history_append(ctx, piece);
}

static bool add_item(const struct request *r, struct history *history, const struct item *item)
{
    struct notify_str log = {NULL, 0};
    json_t *json = NULL;
    bool written = item->log.len == 0 || json_text_read(item->log, &log, &json);

    written = written && rest_item_write(r, log, item->message, append, history);
    json_decref(json);
    return written;
}

/* "…", or null; returns what it is. */
static struct notify_str cursor_text(char out[CURSOR_MAX + 2], struct notify_str position)
{
    size_t len;

    if (position.len == 0)
        return NOTIFY_STR("null");
    out[0] = '"';
    len = 1 + base64url_encode(out + 1, position.ptr, position.len);
    out[len++] = '"';
    return notify_str_of(out, len);
}

static void answer_items(struct request *r, const struct history_page *page)
{
    const struct listing *listing = http_call_kept(r);
    struct numbers {
        char total[NUMBER_TEXT_MAX + 1], page[NUMBER_TEXT_MAX + 1], size[NUMBER_TEXT_MAX + 1],
            unread[NUMBER_TEXT_MAX + 1];
    } numbers;
    char cursor[CURSOR_MAX + 2];
    struct text text = {.len = 0};

    text_add(&text, NOTIFY_STR("{\"items\":["));
    if (!listing->is_far)
        text_add(&text, page->items);
    text_add(&text, NOTIFY_STR("],\"total\":"));
    text_add(&text, page->total < 0 ? NOTIFY_STR("null") : number_text(numbers.total, page->total));
    text_add(&text, NOTIFY_STR(",\"page\":"));
    text_add(&text, listing->page == 0 ? NOTIFY_STR("null")
                                       : number_text(numbers.page, (int64_t)listing->page));
    text_add(&text, NOTIFY_STR(",\"page_size\":"));
    text_add(&text, number_text(numbers.size, (int64_t)listing->page_size));
    text_add(&text, NOTIFY_STR(",\"next\":"));
    text_add(&text, listing->is_far ? NOTIFY_STR("null") : cursor_text(cursor, page->next));
    text_add(&text, NOTIFY_STR(",\"unread\":"));
    text_add(&text, number_text(numbers.unread, page->unread));
    text_add(&text, NOTIFY_STR("}"));
    answer_text(r, &text);
}

/* Numbered pages must not leave anything out between them. */
static void answer_page(struct request *r, const struct history_page *page)
{
    const struct listing *listing = http_call_kept(r);
    struct http_tag tag;

    if (listing->is_far && page->total > (int64_t)offset_of(listing)) {
        answer_error(r, ANSWER_INVALID_FIELD, "page",
                     "page is too far: go on by cursor, with what the page before calls next");
        return;
    }
    if (listing->page > 0 && !listing->is_far && page->next.len > 0 &&
        page->count < listing->page_size) {
        answer_error(r, ANSWER_INVALID_FIELD, "page_size",
                     "page_size must be smaller: so many of these entries are more than an answer "
                     "holds");
        return;
    }
    tag = http_tag_of(page->items);
    if (!listing->by_bytes || !http_call_tag(r, &tag))
        answer_items(r, page);
}

static const struct history_shape shape = {.item = add_item, .answer = answer_page};

static void ask_page(struct request *r)
{
    const struct listing *listing = http_call_kept(r);
    const struct history_ask ask = {.feed = true,
                                    .notifications_only = !listing->unread_only,
                                    .unread_only = listing->unread_only,
                                    .wants_total = true,
                                    .limit = listing->is_far ? 1 : listing->page_size,
                                    .offset =
                                        listing->is_far ? REQUEST_OFFSET_MAX : offset_of(listing),
                                    .bytes = PAGE_BYTES,
                                    .before = listing->before,
                                    .category = listing->category,
                                    .type = listing->type};

    history_begin(r, &ask, &shape);
}

/* Whether it is still what it was is known before the page is read: by the revisions of all that it
 * is made of, and when something of it will expire. */

/* Whose it is, and all that its badge says. */
static struct http_tag tag_of(const struct request *r, const struct tally *tally)
{
    struct notify_str user = request_user(r);
    json_t *json = json_pack("[s%, O]", user.ptr, user.len, tally->badge);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    struct http_tag tag = http_tag_of(notify_str_z(text));

    json_decref(json);
    free(text);
    return tag;
}

static void on_tally(struct request *r, struct tally *tally)
{
    struct http_tag tag = tag_of(r, tally);

    if (!http_call_tag(r, &tag))
        ask_page(r);
}

static void check_tag(struct request *r, struct listing *listing)
{
    struct tally *tally;

    /* The revisions of logs of which one sees a part tell of the rest. */
    listing->by_bytes = !identity_sees_all(r->identity);
    if (listing->by_bytes) {
        ask_page(r);
        return;
    }
    tally = tally_new(r, logs_of(r->shared, r->identity), on_tally);
    if (tally != NULL)
        tally_send(r, tally);
}

/* What is asked for. */

static size_t number_of(const struct request *r, const char *member, size_t otherwise)
{
    const struct member_value *value = request_value(r, member);

    return value->raw.len > 0 ? value->number : otherwise;
}

static struct listing *listing_new(const struct request *r, struct notify_str before)
{
    struct notify_str category = request_text(r, "category");
    struct notify_str type = request_text(r, "notification_type");
    struct listing *listing = calloc(1, sizeof(*listing) + before.len + category.len + type.len);
    char *at;

    if (listing == NULL)
        return NULL;
    at = listing->texts;
    listing->before = notify_str_keep(&at, before);
    listing->category = notify_str_keep(&at, category);
    listing->type = notify_str_keep(&at, type);
    listing->page = before.len > 0 ? 0 : number_of(r, "page", 1);
    listing->page_size = number_of(r, "page_size", PAGE_SIZE_DEFAULT);
    listing->unread_only = request_value(r, "unread_only")->flag;
    listing->is_far = offset_of(listing) > REQUEST_OFFSET_MAX;
    return listing;
}

static void handle_list(struct request *r)
{
    uint8_t buffer[BASE64URL_DECODED_MAX(CURSOR_MAX)];
    struct notify_str before;
    struct listing *listing;

    if (!read_cursor(r, buffer, &before))
        return;
    if (before.len > 0 && request_value(r, "page")->raw.len > 0) {
        answer_error(r, ANSWER_INVALID_FIELD, NULL, "page and cursor exclude each other");
        return;
    }
    listing = listing_new(r, before);
    if (listing == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    http_call_keep(r, listing);
    following_ensure(r->shared, r->identity);
    check_tag(r, listing);
}

const struct http_call rest_list = {
    .type = {.name = "the list",
             .handle = handle_list,
             MEMBERS(MAY("page", MEMBER_PAGE), MAY("page_size", MEMBER_LIMIT),
                     MAY("cursor", MEMBER_WORD), MAY("unread_only", MEMBER_FLAG),
                     MAY("notification_type", MEMBER_WORD), MAY("category", MEMBER_WORD))},
    .pattern = "/api/v1/notifications",
};

/* How many are unread. */

static void answer_count(struct request *r, struct tally *tally)
{
    struct text text;
    struct http_tag tag;
    json_t *answer =
        json_pack("{s:I, s:I, s:O}", "unread", (json_int_t)tally_total(tally, "unread"), "unseen",
                  (json_int_t)tally_total(tally, "unseen"), "by_category",
                  json_object_get(tally->badge, "by_category"));

    if (answer == NULL || !text_of_json(&text, answer)) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    tag = http_tag_of(text.parts[0]);
    if (!http_call_tag(r, &tag))
        answer_text(r, &text);
    text_release(&text);
}

static void handle_count(struct request *r)
{
    struct tally *tally;

    following_ensure(r->shared, r->identity);
    tally = tally_new(r, logs_of(r->shared, r->identity), answer_count);
    if (tally == NULL)
        return;
    tally->groups = true;
    tally_send(r, tally);
}

const struct http_call rest_count = {
    .type = {.name = "the count", .handle = handle_count, NO_MEMBERS},
    .pattern = "/api/v1/notifications/unread/count",
};

/* All of them read. */

static json_t *say_marked(const json_t *answer)
{
    return json_pack("{s:O}", "marked", json_object_get(answer, "changed"));
}

static void add(struct inbound *inbound, struct notify_str name, struct notify_str raw)
{
    if (raw.len > 0)
        inbound->at[inbound->len++] = (struct inbound_member){name, raw};
}

/* As a client of the WebSocket asks for it, but that upto may be an id as answers have them. */
static void handle_read_all(struct request *r)
{
    struct inbound inbound = {.type = {.value = NOTIFY_STR_INIT("\"mark_all_read\"")}};
    const struct member_value *upto = request_value(r, "upto");
    char raw[NOTIFY_ID_TEXT_MAX + 3] = "\"";
    struct rest_id id;
    size_t len = 0;

    if (upto->raw.len > 0 &&
        rest_id_parse(upto->text, logs_of(r->shared, r->identity), &id) != REST_ID_GOOD) {
        answer_error(r, ANSWER_INVALID_FIELD, "upto", "upto must be the id of a notification");
        return;
    }
    if (upto->raw.len > 0) {
        len = 1 + notify_id_format(raw + 1, id.id);
        raw[len++] = '"';
    }
    add(&inbound, NOTIFY_STR("upto"), notify_str_of(raw, len));
    add(&inbound, NOTIFY_STR("category"), request_value(r, "category")->raw);
    following_ensure(r->shared, r->identity);
    request_run(r, &inbound);
}

const struct http_call rest_read_all = {
    .type = {.name = "read-all",
             .handle = handle_read_all,
             MEMBERS(MAY("upto", MEMBER_WORD), MAY("category", MEMBER_WORD))},
    .pattern = "/api/v1/notifications/read-all",
    .body_max = HTTP_BODY_USUAL,
    .shape = say_marked,
};
