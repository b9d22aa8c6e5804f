#include "requests/request_run.h"

#include "base/iso_time.h"
#include "base/loop.h"
#include "clients/client.h"
#include "requests/answer.h"
#include "requests/publication.h"
#include "requests/request.h"
#include "requests/request_box.h"
#include "requests/request_handlers.h"
#include "requests/request_members.h"
#include "wire/inbound.h"
#include "wire/json_text.h"

static void handle_ping(struct request *r)
{
    char now[ISO_TIME_LEN + 1];
    const char *type = r->type->name[0] == 'p' ? "pong" : "heartbeat";

    iso_time_format(now, loop_wall_ms(r->shared->senders.loop));
    answer_json(r, json_pack("{s:s, s:s}", "type", type, "timestamp", now));
}

/* The table: what there is to ask for, and with which members. */

#define SOME_IDS EITHER("id", MEMBER_ID), EITHER("ids", MEMBER_IDS)
#define OF_LOG MAY("log", MEMBER_KEY)

#define BEGIN MAY("last_id", MEMBER_POSITION), MAY("last", MEMBER_LIMIT), MAY("since", MEMBER_SINCE)

static const struct request_type request_types[] = {
    {"auth", request_handle_auth, MEMBERS(MUST("token", MEMBER_WORD)), .stays = true},
    {"ping", handle_ping, NO_MEMBERS},
    {"heartbeat", handle_ping, NO_MEMBERS},
    {"subscribe", request_handle_subscribe,
     MEMBERS(EITHER("topic", MEMBER_NAME), EITHER("channel", MEMBER_NAME), BEGIN,
             MAY("presence", MEMBER_FLAG)),
     .stays = true},
    {"unsubscribe", request_handle_unsubscribe,
     MEMBERS(EITHER("topic", MEMBER_NAME), EITHER("channel", MEMBER_NAME)), .stays = true},
    {"subscribe_session", request_handle_subscribe_session,
     MEMBERS(MUST("session_id", MEMBER_NAME), BEGIN), .stays = true},
    {"unsubscribe_session", request_handle_unsubscribe_session,
     MEMBERS(MUST("session_id", MEMBER_NAME)), .stays = true},
    {"subscribe_category", request_handle_subscribe_category,
     MEMBERS(MUST("category", MEMBER_NAME)), .stays = true},
    {"unsubscribe_category", request_handle_unsubscribe_category,
     MEMBERS(MUST("category", MEMBER_NAME)), .stays = true},
    {"resume", request_handle_resume, MEMBERS(MUST("positions", MEMBER_POSITIONS)), .stays = true},
    {"request_notification_history", request_handle_history,
     MEMBERS(MAY("before", MEMBER_BEFORE), MAY("after", MEMBER_ID), MAY("limit", MEMBER_LIMIT),
             MAY("unread_only", MEMBER_FLAG), MAY("category", MEMBER_WORD),
             MAY("notification_type", MEMBER_WORD), MAY("topic", MEMBER_NAME),
             MAY("archived", MEMBER_FLAG), MAY("log", MEMBER_KEY), MAY("feed", MEMBER_FLAG),
             MAY("offset", MEMBER_OFFSET), MAY("total", MEMBER_FLAG))},
    {"mark_read", request_handle_mark, MEMBERS(SOME_IDS, OF_LOG)},
    {"mark_unread", request_handle_mark, MEMBERS(SOME_IDS, OF_LOG)},
    {"archive", request_handle_mark, MEMBERS(SOME_IDS, OF_LOG)},
    {"unarchive", request_handle_mark, MEMBERS(SOME_IDS, OF_LOG)},
    {"delete_notification", request_handle_delete, MEMBERS(SOME_IDS, OF_LOG)},
    {"mark_all_read", request_handle_sweep,
     MEMBERS(MAY("upto", MEMBER_ID), MAY("category", MEMBER_WORD), OF_LOG)},
    {"mark_seen", request_handle_sweep, MEMBERS(MAY("upto", MEMBER_ID), OF_LOG)},
    {"mute", request_handle_mute, MEMBERS(MUST("category", MEMBER_LABEL))},
    {"unmute", request_handle_mute, MEMBERS(MUST("category", MEMBER_LABEL))},
    {"categories", request_handle_categories, NO_MEMBERS},
    {"action_done", request_handle_action_done,
     MEMBERS(MUST("id", MEMBER_ID), OF_LOG, MAY("name", MEMBER_NAME))},
    {"unread_count", request_handle_unread_count, NO_MEMBERS},
    {"presence", request_handle_presence,
     MEMBERS(EITHER("user_id", MEMBER_NAME), EITHER("session_id", MEMBER_NAME),
             EITHER("topic", MEMBER_NAME), MAY("list", MEMBER_FLAG))},
    {"subscribe_presence", request_handle_subscribe_presence,
     MEMBERS(EITHER("user_id", MEMBER_NAME), EITHER("topic", MEMBER_NAME)), .stays = true},
    {"unsubscribe_presence", request_handle_unsubscribe_presence,
     MEMBERS(EITHER("user_id", MEMBER_NAME), EITHER("topic", MEMBER_NAME)), .stays = true},
    {"statistics", request_handle_statistics, MEMBERS(MAY("list", MEMBER_FLAG))},
    {"kick", request_handle_kick,
     MEMBERS(MAY("user_id", MEMBER_NAME), MAY("session_id", MEMBER_NAME))},
    {"message", request_handle_message, MEMBERS(MUST("message", MEMBER_WORD)), .stays = true},
    {"publish", request_handle_publish,
     MEMBERS(PUBLICATION_MEMBERS("notification_type"), MAY("idempotency_key", MEMBER_NAME))},
};

#define REQUEST_TYPES (sizeof(request_types) / sizeof(request_types[0]))

const struct request_type *request_type_at(size_t i)
{
    return i < REQUEST_TYPES ? &request_types[i] : NULL;
}

const struct request_type *request_type_find(struct notify_str name)
{
    for (size_t i = 0; i < REQUEST_TYPES; i++)
        if (notify_str_eq(name, notify_str_z(request_types[i].name)))
            return &request_types[i];
    return NULL;
}

static bool read_type(struct request *r, struct notify_str value)
{
    struct notify_str name;
    json_t *json;

    if (value.len == 0 || notify_str_eq(value, NOTIFY_STR("null"))) {
        answer_error(r, ANSWER_MISSING_FIELD, "type", "type must be a string");
        return false;
    }
    if (!json_text_read(value, &name, &json)) {
        answer_error(r, ANSWER_INVALID_FIELD, "type", "type must be a string");
        return false;
    }
    r->type = request_type_find(name);
    json_decref(json);
    if (r->type == NULL)
        answer_error(r, ANSWER_UNKNOWN_TYPE, "type", "no message of this type is known");
    else if (r->type->stays && r->client == NULL)
        answer_error(r, ANSWER_INVALID_FIELD, "type",
                     "only a connection that stays can ask for it");
    else
        return true;
    return false;
}

/* Of somebody who is not known only a token is taken. */
static void handle(struct request *r)
{
    if (r->type->handle == request_handle_auth || (r->identity != NULL && request_find_log(r)))
        r->type->handle(r);
}

static void run(struct request *r, const struct inbound *inbound)
{
    struct member_value values[INBOUND_MEMBERS_MAX] = {{.flag = false}};
    struct member_value *outer = r->values; /* a request may hold another (rest_calls.c) */

    r->values = values;
    loop_work(r->shared->senders.loop, LOOP_CLIENTS, r->type->name);
    if (request_members_read(r, inbound))
        handle(r);
    request_members_release(r);
    r->values = outer;
}

void request_run(struct request *r, const struct inbound *inbound)
{
    if (read_type(r, inbound->type.value))
        run(r, inbound);
}

void request_run_as(struct request *r, const struct request_type *type,
                    const struct inbound *inbound)
{
    r->type = type;
    run(r, inbound);
}
