/* rest_entry -- one notification over HTTP: shown, read, deleted. Whichever it is, it is looked for
 * first, in the user's inbox or, by its id, in a log that this follows: what is not there for him
 * is 404, be it another's or nobody's. */
#include "requests/rest_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/client.h"
#include "clients/logs.h"
#include "identity/key_names.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/item.h"
#include "requests/marked.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/rest_id.h"
#include "requests/rest_item.h"
#include "wire/text.h"

#define NOT_FOUND_TEXT "there is no notification with this id"

/* What is asked for, while Redis is. */
struct wanted {
    void (*then)(struct request *r, struct wanted *wanted); /* it is there; NULL: it is shown */
    char id[NOTIFY_ID_TEXT_MAX + 1];
    size_t log_len; /* 0: of the inbox */
    char log[];
};

static struct notify_str log_of(const struct wanted *wanted)
{
    return notify_str_of(wanted->log, wanted->log_len);
}

static void not_found(struct request *r)
{
    answer_error(r, ANSWER_NOT_FOUND, "id", NOT_FOUND_TEXT);
}

static bool print(void *ctx, struct notify_str piece)
{
    return piece.len == 0 || fwrite(piece.ptr, 1, piece.len, ctx) == piece.len;
}

/* message is a notification's. */
static void answer_item(struct request *r, struct notify_str log, struct notify_str message)
{
    struct text text = {.len = 0};
    size_t len = 0;
    FILE *out = open_memstream(&text.owned, &len);
    bool written = out != NULL && rest_item_write(r, log, message, print, out);

    written = out != NULL && fclose(out) == 0 && written;
    if (written) {
        text_add(&text, notify_str_of(text.owned, len));
        answer_text(r, &text);
    } else {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "unexpected reply");
    }
    text_release(&text);
}

/* The message of the one entry of a page; NULL: there is none that he may see. */
static const struct resp *find(const struct request *r, const struct resp *page)
{
    struct key_buffer buffer;
    struct item item;

    if (page->kind != RESP_ARRAY || page->len != 1 ||
        !item_read(page->items[0], request_inbox_of(r, &buffer), &item) || !item_is_shown(r, &item))
        return NULL;
    return page->items[0];
}

/* The entry, if it is a notification that he has and that is not put away. */
static struct words page_words(const struct request *r, const struct wanted *wanted,
                               struct key_buffer *buffer)
{
    struct notify_str id = notify_str_z(wanted->id);
    struct words words = {.len = 6,
                          .at = {NOTIFY_STR("NOTIFY.RANGE"), request_inbox_of(r, buffer), id, id,
                                 NOTIFY_STR("NOTIFICATIONS"), NOTIFY_STR("JSON")}};

    words_add_option(&words, NOTIFY_STR("LOG"), log_of(wanted));
    return words;
}

static void on_found(struct request *r, const struct resp *page, void *ctx)
{
    struct wanted *wanted = ctx;
    const struct resp *message = find(r, page);

    if (message == NULL)
        not_found(r);
    else if (wanted->then == NULL)
        answer_item(r, log_of(wanted), message->str);
    else {
        wanted->then(r, wanted);
        return;
    }
    free(wanted);
}

#define ENTRY_BYTES (TURNS_ENTRIES_BYTES / TURNS_ENTRIES)

static const struct call_kind find_kind = {.fn = on_found,
                                           .release = free,
                                           .answer_bytes = ENTRY_BYTES,
                                           .reply_bytes = ENTRY_BYTES,
                                           .reads = true};

/* Reading it. */

static void on_read(struct request *r, const struct resp *both, void *ctx)
{
    struct wanted *wanted = ctx;
    const struct resp *message = find(r, both->items[1]);

    counter_add(COUNTER_MARKED_READ, (uint64_t)resp_count(both->items[0]));
    marked_one_read(notify_str_z(wanted->id), resp_count(both->items[0]), r->shared->senders.loop);
    if (message == NULL)
        not_found(r);
    else
        answer_item(r, log_of(wanted), message->str);
    free(wanted);
}

static const struct call_kind read_kind = {
    .fn = on_read, .release = free, .answer_bytes = ENTRY_BYTES, .reply_bytes = ENTRY_BYTES};

static void read_it(struct request *r, struct wanted *wanted)
{
    struct key_buffer buffer, page_buffer;
    struct words words = {.len = 4,
                          .at = {NOTIFY_STR("NOTIFY.MARK"), request_inbox_of(r, &buffer),
                                 NOTIFY_STR("READ"), notify_str_z(wanted->id)}};
    struct words page = page_words(r, wanted, &page_buffer);

    words_add_option(&words, NOTIFY_STR("LOG"), log_of(wanted));
    call_send_two(r, &read_kind, wanted, &words, &page);
}

/* Deleting it: of a log, which is not his, he puts it away. */

static void on_deleted(struct request *r, const struct resp *reply, void *ctx)
{
    (void)ctx;
    if (resp_count(reply) == 0) {
        not_found(r); /* somebody else was faster */
        return;
    }
    http_call_status(r, 204, NULL);
    http_call_answer_empty(r);
}

static const struct call_kind delete_kind = {.fn = on_deleted, .answer_bytes = CALL_SMALL_ANSWER};

static void delete_it(struct request *r, struct wanted *wanted)
{
    struct key_buffer buffer;
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.DEL"), request_inbox_of(r, &buffer)}};

    if (wanted->log_len > 0) {
        words.at[0] = NOTIFY_STR("NOTIFY.MARK");
        words_add(&words, NOTIFY_STR("ARCHIVED"));
    }
    words_add(&words, notify_str_z(wanted->id));
    words_add_option(&words, NOTIFY_STR("LOG"), log_of(wanted));
    call_send(r, &delete_kind, NULL, &words);
    free(wanted);
}

/* The beginning of all three. */

static struct wanted *wanted_new(const struct rest_id *id)
{
    struct wanted *wanted = calloc(1, sizeof(*wanted) + id->log.len);

    if (wanted == NULL)
        return NULL;
    notify_id_format(wanted->id, id->id);
    wanted->log_len = id->log.len;
    if (id->log.len > 0)
        memcpy(wanted->log, id->log.ptr, id->log.len);
    return wanted;
}

static bool read_id(struct request *r, struct rest_id *ret)
{
    switch (rest_id_parse(request_text(r, "id"), logs_of(r->shared, r->identity), ret)) {
    case REST_ID_GOOD:
        return true;
    case REST_ID_BAD:
        answer_error(r, ANSWER_INVALID_FIELD, "id",
                     "id must be a UUID, or an id such as 1795208400123-0");
        break;
    case REST_ID_UNKNOWN:
        not_found(r);
        break;
    }
    return false;
}

static void find_first(struct request *r, void (*then)(struct request *r, struct wanted *wanted))
{
    struct key_buffer buffer;
    struct wanted *wanted;
    struct rest_id id;
    struct words words;

    if (!read_id(r, &id))
        return;
    wanted = wanted_new(&id);
    if (wanted == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    wanted->then = then;
    words = page_words(r, wanted, &buffer);
    call_send(r, &find_kind, wanted, &words);
}

static void handle_show(struct request *r)
{
    find_first(r, NULL);
}

static void handle_read(struct request *r)
{
    find_first(r, read_it);
}

static void handle_delete(struct request *r)
{
    find_first(r, delete_it);
}

#define NOTIFICATION "/api/v1/notifications/{id}"
#define ITS_ID MEMBERS(MUST("id", MEMBER_WORD))

const struct http_call rest_show = {
    .type = {.name = "the notification", .handle = handle_show, ITS_ID},
    .pattern = NOTIFICATION,
};

const struct http_call rest_read = {
    .type = {.name = "the notification", .handle = handle_read, ITS_ID},
    .pattern = NOTIFICATION "/read",
    .body_max = HTTP_BODY_USUAL,
};

const struct http_call rest_delete = {
    .type = {.name = "the notification", .handle = handle_delete, ITS_ID},
    .pattern = NOTIFICATION,
};
