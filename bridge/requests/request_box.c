#include "requests/request_box.h"

#include "clients/client.h"
#include "clients/logs.h"
#include "clients/permission.h"
#include "identity/identity.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "wire/entry_uuid.h"
#include "wire/json_text.h"

struct notify_str request_inbox_of(const struct request *r, struct key_buffer *buffer)
{
    return key_of(r->shared->keys, KEY_INBOX, request_user(r), buffer);
}

bool request_has_inbox(struct request *r)
{
    if (!r->identity->anonymous)
        return true;
    answer_error(r, ANSWER_FORBIDDEN, NULL, "who brings no token has no inbox");
    return false;
}

static bool is_own_inbox(const struct request *r, struct notify_str key)
{
    struct key_buffer buffer;

    return notify_str_eq(key, request_inbox_of(r, &buffer));
}

/* By UUIDs. */

bool request_box_of_tag(struct request *r, const char *member, uint16_t tag,
                        struct notify_str *ret_log)
{
    *ret_log = (struct notify_str){NULL, 0};
    if (tag == 0)
        return true;
    switch (logs_find_tag(logs_of(r->shared, r->identity), tag, ret_log)) {
    case 1:
        return true;
    case 0:
        answer_error(r, ANSWER_NOT_FOUND, member, "it is of no log that this inbox follows");
        break;
    default:
        answer_error(r, ANSWER_INVALID_FIELD, member,
                     "it may be of one log or another: its id of Redis and log must be given");
    }
    return false;
}

/* What names entries by UUIDs. NULL: nothing does. */
static const struct member_value *uuids_of(const struct request *r, const char **ret_member)
{
    static const char *const members[] = {"id", "ids"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const struct member_value *value = request_find_value(r, members[i]);
        *ret_member = members[i];
        if (value != NULL && value->is_uuid)
            return value;
    }
    return NULL;
}

static bool is_of(struct request *r, uint16_t tag, const char *member, struct notify_str log)
{
    if (tag == (is_own_inbox(r, log) ? 0 : entry_uuid_tag(log)))
        return true;
    answer_error(r, ANSWER_INVALID_FIELD, member, "it is of another box than log");
    return false;
}

/* As if it had been given. */
static bool set_log(struct request *r, struct member_value *value, struct notify_str log)
{
    if (log.len == 0)
        return true;
    value->json = json_stringn_nocheck(log.ptr, log.len);
    value->text = json_text_of(value->json);
    if (value->json == NULL)
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
    return value->json != NULL;
}

bool request_find_log(struct request *r)
{
    struct member_value *log = request_find_value(r, "log");
    const char *member;
    const struct member_value *entries = uuids_of(r, &member);
    struct notify_str found;

    if (entries == NULL || log == NULL)
        return true;
    if (log->text.len > 0)
        return is_of(r, entries->tag, member, log->text);
    return request_has_inbox(r) && request_box_of_tag(r, member, entries->tag, &found) &&
           set_log(r, log, found);
}

/* By its key. */

bool request_takes_log(struct request *r, struct notify_str *ret_log)
{
    struct notify_str log = request_text(r, "log");

    *ret_log = (struct notify_str){NULL, 0};
    if (!request_has_inbox(r))
        return false;
    if (log.len == 0 || is_own_inbox(r, log))
        return true;
    if (!may_follow(r->shared, r->identity, log)) {
        answer_lacks_right(r, "log", RIGHT_SUBSCRIBE, log);
        return false;
    }
    *ret_log = log;
    return true;
}
