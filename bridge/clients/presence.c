/* presence -- what is told of session sets: kicks to those who are meant (session_kicks.c), who has
 * come and gone to those who watch. */
#include "clients/sessions_private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/counters.h"
#include "base/log.h"
#include "clients/client.h"
#include "redis/subscription.h"
#include "wire/event.h"
#include "wire/json_scan.h"
#include "wire/json_text.h"
#include "wire/text.h"

/* The members that are looked at, as they stand in the text. */
struct head {
    struct notify_str type, session;
};

static void on_member(void *ctx, struct notify_str name, struct notify_str value)
{
    struct head *head = ctx;

    if (notify_str_eq(name, NOTIFY_STR("type")))
        head->type = json_plain_string(value);
    else if (notify_str_eq(name, NOTIFY_STR("session_id")))
        head->session = value;
}

/* Watching. A client that does not take what it is sent need not be told each step: all counts are
 * absolute, and it learns how it stands later. */

static void tell(struct session_place *place, struct notify_str message)
{
    struct sender *sender = &place->client->sender;
    struct text text = text_of(message);

    if (sender_is_full(sender)) {
        place->is_to_learn = true;
        place->set->tells = true;
        return;
    }
    sender_send(sender, &text);
    text_release(&text);
}

static void tell_watchers(struct session_set *set, struct notify_str message)
{
    struct session_place *place;

    if (set->watchers == 0)
        return;
    if (set->told == SESSIONS_TOLD_MAX) {
        counter_add(COUNTER_PRESENCE_MESSAGES, 1);
        return;
    }
    set->told++;
    TAILQ_FOREACH(place, &set->places, link)
    {
        if (place->watches)
            tell(place, message);
    }
}

void presence_tell(struct session_set *set, int64_t sessions, int64_t connections)
{
    json_t *key = json_stringn(set->key, set->key_len);
    json_t *json = json_pack("{s:s, s:o*, s:I, s:I}", "type", "presence", "key", key, "sessions",
                             (json_int_t)sessions, "connections", (json_int_t)connections);
    char *message = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    struct session_place *place;

    json_decref(json);
    if (message == NULL)
        return;
    TAILQ_FOREACH(place, &set->places, link)
    {
        if (!place->is_to_learn)
            continue;
        place->is_to_learn = false;
        tell(place, notify_str_z(message));
    }
    free(message);
}

/* What is heard. */

static void act_on(struct session_set *set, const struct head *head)
{
    struct notify_str session;
    json_t *owner = NULL;

    if (notify_str_eq(head->type, NOTIFY_STR("gone")) ||
        notify_str_eq(head->type, NOTIFY_STR("changed"))) {
        session_set_open_again(set); /* the whole set is another one now */
        return;
    }
    if (set->kind != SESSIONS_OF_USER || !notify_str_eq(head->type, NOTIFY_STR("kick")))
        return;
    if (head->session.len > 0 && json_text_read(head->session, &session, &owner))
        session_kicks_add(set, session);
    json_decref(owner);
}

/* Each who arrives has come to his own set, which hardly ever anybody watches. */
static bool is_for_nobody(const struct session_set *set, struct notify_str message)
{
    const struct notify_str begin = NOTIFY_STR("{\"type\":\"presence\",");

    return message.len > begin.len && memcmp(message.ptr, begin.ptr, begin.len) == 0 &&
           set->watchers == 0;
}

void presence_on_message(struct session_set *set, struct notify_str message)
{
    struct event *event;
    struct head head = {.type = {NULL, 0}};

    if (is_for_nobody(set, message))
        return;
    event = event_decode(message);
    if (event == NULL || event->kind != EVENT_STATE || !event_is_of(event, session_set_key(set))) {
        event_unref(event);
        counter_add(COUNTER_EVENTS_FOREIGN, 1);
        counter_add(COUNTER_DROPPED_FOREIGN, 1);
        return;
    }
    event_unref(event);
    (void)json_scan_object(message, on_member, &head); /* well-formed: it was decoded */
    tell_watchers(set, message);
    act_on(set, &head);
}
