/* request_history -- request_notification_history, in canonical words.
 *
 * Newest first, or oldest first when only "after" is given. */
#include "requests/request_handlers.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/number.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/permission.h"
#include "identity/identity.h"
#include "requests/answer.h"
#include "requests/history.h"
#include "requests/item.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_members.h"
#include "wire/dialect.h"
#include "wire/event.h"
#include "wire/text.h"

#define LIMIT_DEFAULT 20

/* What is said of an item, and who owns that. */
struct said {
    struct notify_str text; /* empty: out of memory */
    struct text words;
    struct event *event;
};

/* In the words of the connection by which it is asked for. */
static struct notify_str say_notification(const struct request *r, const struct item *item,
                                          struct text *words)
{
    enum dialect dialect = r->client == NULL ? DIALECT_CANONICAL : r->client->sender.dialect;

    return dialect_item(dialect, item->key, item->text, words) ? words->parts[0] : item->text;
}

/* A whole message of a log speaks of other entries, too: not to whoever may not see all of them. */
static struct notify_str say_message(const struct request *r, const struct item *item,
                                     struct event **ret_event)
{
    const struct event *discreet;

    if (item->log.len == 0 || identity_sees_all(r->identity))
        return item->text;
    *ret_event = event_decode(item->message);
    discreet = *ret_event == NULL ? NULL : event_discreet(*ret_event);
    return discreet == NULL ? (struct notify_str){NULL, 0}
                            : notify_str_of(discreet->payload, discreet->len);
}

static void said_of(const struct request *r, const struct item *item, struct said *ret)
{
    *ret = (struct said){.event = NULL};
    ret->text = item->text.ptr == item->message.ptr ? say_message(r, item, &ret->event)
                                                    : say_notification(r, item, &ret->words);
}

static void said_release(struct said *said)
{
    event_unref(said->event);
    text_release(&said->words);
}

/* An item of a log names it first: {"log":"topic:all", and its own members. */
static bool say(const struct request *r, struct history *history, const struct item *item,
                bool names_log)
{
    struct said said;
    bool good;

    said_of(r, item, &said);
    good = said.text.len > 0;
    if (good && names_log && item->log.len > 0) {
        good = history_append(history, NOTIFY_STR("{\"log\":")) &&
               history_append(history, item->log) && history_append(history, NOTIFY_STR(","));
        said.text = notify_str_of(said.text.ptr + 1, said.text.len - 1);
    }
    good = good && history_append(history, said.text);
    said_release(&said);
    return good;
}

static bool say_item(const struct request *r, struct history *history, const struct item *item)
{
    return say(r, history, item, true);
}

/* Of a log as it is: whoever asked knows which. */
static bool say_item_of_topic(const struct request *r, struct history *history,
                              const struct item *item)
{
    return say(r, history, item, false);
}

/* A position holds a key, which is any text. */
static json_t *next_of(const struct history_page *page)
{
    return page->next.len == 0 ? json_null() : json_stringn(page->next.ptr, page->next.len);
}

static void answer_page(struct request *r, const struct history_page *page)
{
    struct text text = {.len = 0};
    json_t *next = next_of(page);
    char *next_text = json_dumps(next, JSON_ENCODE_ANY);
    char unread[NUMBER_TEXT_MAX + 1], total[NUMBER_TEXT_MAX + 1];

    text_add(&text, NOTIFY_STR("{\"type\":\"notification_history\",\"items\":["));
    text_add(&text, page->items);
    text_add(&text, NOTIFY_STR("],\"next\":"));
    text_add(&text, next_text == NULL ? NOTIFY_STR("null") : notify_str_z(next_text));
    text_add(&text, NOTIFY_STR(",\"unread\":"));
    text_add(&text, number_text(unread, page->unread));
    if (page->total >= 0) {
        text_add(&text, NOTIFY_STR(",\"total\":"));
        text_add(&text, number_text(total, page->total));
    }
    text_add(&text, NOTIFY_STR("}"));
    answer_text(r, &text);
    free(next_text);
    json_decref(next);
}

static const struct history_shape shape = {say_item, answer_page};
static const struct history_shape topic_shape = {say_item_of_topic, answer_page};

/* Members that do not go together: the first one with any of those behind it. */
struct conflict {
    const char *member, *with[5];
};

static const struct conflict conflicts[] = {
    {"feed", {"topic", "log", "after"}},
    {"topic", {"log", "archived"}},
    {"archived", {"unread_only"}},
};

static bool is_given(const struct request *r, const char *member)
{
    const struct member_value *value = request_value(r, member);

    return value->raw.len > 0 && !notify_str_eq(value->raw, NOTIFY_STR("false"));
}

static const char *find_conflict(const struct request *r, const struct conflict *conflict)
{
    for (size_t i = 0; is_given(r, conflict->member) && conflict->with[i] != NULL; i++)
        if (is_given(r, conflict->with[i]))
            return conflict->with[i];
    return NULL;
}

static bool goes_together(struct request *r)
{
    char message[80];

    for (size_t i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++) {
        const char *other = find_conflict(r, &conflicts[i]);
        if (other == NULL)
            continue;
        (void)snprintf(message, sizeof(message), "%s and %s exclude each other", other,
                       conflicts[i].member); /* there is room */
        answer_error(r, ANSWER_INVALID_FIELD, other, message);
        return false;
    }
    return true;
}

/* What only a feed has. */
static bool may_stand_here(struct request *r)
{
    static const char *const of_feeds[] = {"offset", "total"};
    bool is_id = !request_value(r, "before")->flag;
    const char *wrong = NULL;

    if (is_given(r, "feed"))
        return true;
    for (size_t i = 0; i < sizeof(of_feeds) / sizeof(of_feeds[0]); i++)
        if (is_given(r, of_feeds[i]))
            wrong = of_feeds[i];
    if (wrong == NULL && !is_id)
        wrong = "before";
    if (wrong != NULL)
        answer_error(r, ANSWER_INVALID_FIELD, wrong,
                     is_id ? "only a feed has it"
                           : "before must be an id: only a feed has positions");
    return wrong == NULL;
}

/* What may be followed may be read, but for the categories that may not be seen. */
static bool may_read(struct request *r, struct notify_str topic_key, struct notify_str log)
{
    struct notify_str topic = request_text(r, "topic"), category = request_text(r, "category");

    if (topic.len > 0 && !may_follow(r->shared, r->identity, topic_key))
        answer_lacks_right(r, "topic", RIGHT_SUBSCRIBE, topic);
    else if ((topic.len > 0 || log.len > 0) && category.len > 0 &&
             !categories_may_get(r->identity, category))
        answer_lacks_right(r, "category", RIGHT_CATEGORIES, category);
    else
        return true;
    return false;
}

/* Of a feed a UUID is a place between the entries of all its boxes, as a position is. */
static bool place_before(struct request *r, char position[HISTORY_POSITION_MAX + 1],
                         struct history_ask *ask)
{
    const struct member_value *before = request_value(r, "before");
    struct key_buffer buffer;
    struct notify_str key;
    int len;

    if (!before->is_uuid || !ask->feed)
        return true;
    if (!request_box_of_tag(r, "before", before->tag, &key))
        return false;
    if (key.len == 0)
        key = request_inbox_of(r, &buffer);
    len = snprintf(position, HISTORY_POSITION_MAX + 1, "%.*s:%.*s", (int)before->text.len,
                   before->text.ptr, (int)key.len, key.ptr); /* there is room */
    ask->before = notify_str_of(position, (size_t)len);
    return true;
}

static size_t limit_of(const struct request *r)
{
    const struct member_value *limit = request_value(r, "limit");

    return limit->raw.len > 0 ? limit->number : LIMIT_DEFAULT;
}

void request_handle_history(struct request *r)
{
    struct notify_str topic = request_text(r, "topic"), log = {NULL, 0};
    char position[HISTORY_POSITION_MAX + 1];
    struct key_buffer buffer;
    struct history_ask ask = {.feed = request_value(r, "feed")->flag,
                              .unread_only = request_value(r, "unread_only")->flag,
                              .archived_only = request_value(r, "archived")->flag,
                              .wants_total = request_value(r, "total")->flag,
                              .limit = limit_of(r),
                              .offset = request_value(r, "offset")->number,
                              .before = request_text(r, "before"),
                              .after = request_text(r, "after"),
                              .category = request_text(r, "category"),
                              .type = request_text(r, "notification_type")};

    if (!goes_together(r) || !may_stand_here(r) || (topic.len == 0 && !request_takes_log(r, &log)))
        return;
    if (topic.len > 0)
        ask.topic_key = key_of(r->shared->keys, KEY_TOPIC, topic, &buffer);
    if (!may_read(r, ask.topic_key, log) || !place_before(r, position, &ask))
        return;
    ask.log = log;
    ask.forward = ask.before.len == 0 && ask.after.len > 0;
    history_begin(r, &ask, topic.len > 0 ? &topic_shape : &shape);
}
