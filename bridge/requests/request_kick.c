/* request_kick -- the end of sessions: of a user's, all or one of them; or of one by its id alone,
 * whoever holds it.
 *
 * By the id alone it is asked first who holds it (docs/sessions.md); then the session of each of
 * those whose sessions the asker may end is ended, one after the other. Others may call their own
 * session so, too: that keeps nobody from ending this one, and tells nobody of theirs. */
#include "requests/request_handlers.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "clients/client.h"
#include "identity/identity.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "requests/request_kick.h"
#include "requests/request_presence.h"

static void kick_words(struct words *ret, struct notify_str key, struct notify_str session)
{
    *ret = (struct words){.len = 2, .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("KICK")}};
    words_add(ret, key);
    words_add(ret, session.len > 0 ? session : NOTIFY_STR("*"));
}

static struct notify_str user_sessions(const struct request *r, struct notify_str user,
                                       struct key_buffer *buffer)
{
    return key_of(r->shared->keys, KEY_USER_SESSIONS, user, buffer);
}

/* Of a user. */

static void on_kicked(struct request *r, const struct resp *reply, void *ctx)
{
    (void)ctx;
    answer_json(r, json_pack("{s:s, s:I}", "type", "ok", "changed", (json_int_t)resp_count(reply)));
}

static const struct call_kind kick_kind = {.fn = on_kicked, .answer_bytes = CALL_SMALL_ANSWER};

void request_kick_sessions(struct request *r)
{
    struct key_buffer buffer;
    struct words words;

    kick_words(&words, user_sessions(r, request_text(r, "user_id"), &buffer),
               request_text(r, "session_id"));
    call_send(r, &kick_kind, NULL, &words);
}

static void kick_user(struct request *r)
{
    if (request_has_sets(r, KEY_USER_SESSIONS, "user_id") && request_may(r, RIGHT_KICK, "user_id"))
        request_kick_sessions(r);
}

/* Of whoever holds a session. */

#define HOLDERS_MAX 64      /* that one request ends; the next one ends others */
#define HOLDERS_BYTES 16384 /* that so many are held in */

struct holders {
    json_t *users; /* owned; an object, as a set: those who are still to be kicked */
    int64_t changed;
    bool more; /* than those */
    size_t key_len, session_len;
    char texts[]; /* the key of the set of holders, the session */
};

static void holders_free(void *ctx)
{
    struct holders *holders = ctx;

    json_decref(holders->users);
    free(holders);
}

static struct notify_str holders_session(const struct holders *holders)
{
    return notify_str_of(holders->texts + holders->key_len, holders->session_len);
}

static struct holders *holders_new(const struct request *r)
{
    struct notify_str session = request_text(r, "session_id");
    struct key_buffer buffer;
    struct notify_str key = key_of(r->shared->keys, KEY_SESSION_USERS, session, &buffer);
    struct holders *holders = malloc(sizeof(*holders) + key.len + session.len);

    if (holders == NULL)
        return NULL;
    *holders =
        (struct holders){.users = json_object(), .key_len = key.len, .session_len = session.len};
    memcpy(holders->texts, key.ptr, key.len);
    memcpy(holders->texts + key.len, session.ptr, session.len);
    return holders;
}

static void kick_next(struct request *r, struct holders *holders);

static void on_one_kicked(struct request *r, const struct resp *reply, void *ctx)
{
    struct holders *holders = ctx;

    holders->changed += resp_count(reply);
    kick_next(r, holders);
}

static const struct call_kind kick_one_kind = {.fn = on_one_kicked,
                                               .release = holders_free,
                                               .answer_bytes = HOLDERS_BYTES + CALL_SMALL_ANSWER};

static void kick_next(struct request *r, struct holders *holders)
{
    void *first = json_object_iter(holders->users);
    struct key_buffer buffer;
    struct words words;

    if (first == NULL) {
        answer_json(r, json_pack("{s:s, s:I, s:b}", "type", "ok", "changed",
                                 (json_int_t)holders->changed, "more", holders->more));
        holders_free(holders);
        return;
    }
    kick_words(&words,
               user_sessions(
                   r, notify_str_of(json_object_iter_key(first), json_object_iter_key_len(first)),
                   &buffer),
               holders_session(holders));
    (void)json_object_deln(holders->users, json_object_iter_key(first),
                           json_object_iter_key_len(first)); /* the key is in the buffer by now */
    call_send(r, &kick_one_kind, holders, &words);
}

static void on_listed(struct request *r, const struct resp *reply, void *ctx)
{
    struct holders *holders = ctx;

    for (size_t i = 0; i < reply->len && !holders->more; i++) {
        struct notify_str user = resp_str(resp_member(reply->items[i], "session"));
        if (user.len > 0 && identity_may(r->identity, RIGHT_KICK, user))
            (void)json_object_setn_new(holders->users, user.ptr, user.len, json_true());
        holders->more = json_object_size(holders->users) >= HOLDERS_MAX && i + 1 < reply->len;
    }
    if (json_object_size(holders->users) > 0) {
        kick_next(r, holders);
        return;
    }
    answer_error(r, ANSWER_NOT_FOUND, "session_id",
                 "nobody whose sessions this user may end holds that one");
    holders_free(holders);
}

static const struct call_kind list_kind = {.fn = on_listed,
                                           .release = holders_free,
                                           .answer_bytes = CALL_SMALL_ANSWER,
                                           .reply_bytes = REQUEST_PRESENCE_LIST_BYTES,
                                           .reads = true};

static void on_counted(struct request *r, const struct resp *reply, void *ctx)
{
    struct holders *holders = ctx;
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("LIST")}};

    if (resp_count(reply) > REQUEST_PRESENCE_LIST_MAX) {
        answer_error(r, ANSWER_PROCESSING_ERROR, "session_id",
                     "too many connections hold that session: name the user, too");
        holders_free(holders);
        return;
    }
    words_add(&words, notify_str_of(holders->texts, holders->key_len));
    call_send(r, &list_kind, holders, &words);
}

static const struct call_kind count_kind = {
    .fn = on_counted, .release = holders_free, .answer_bytes = CALL_SMALL_ANSWER, .reads = true};

static void note_right(void *ctx, struct notify_str pattern)
{
    (void)pattern;
    *(bool *)ctx = true;
}

/* May it end anybody's sessions at all? Answers if not. */
static bool may_kick_anyone(struct request *r)
{
    bool may = r->identity->everything;

    identity_each_pattern(r->identity, RIGHT_KICK, note_right, &may);
    if (!may)
        answer_lacks_right(r, "session_id", RIGHT_KICK, request_text(r, "session_id"));
    return may;
}

static void kick_holders(struct request *r)
{
    struct words words = {.len = 2, .at = {NOTIFY_STR("NOTIFY.SESSION"), NOTIFY_STR("COUNT")}};
    struct holders *holders;

    if (!request_has_sets(r, KEY_SESSION_USERS, "session_id") || !may_kick_anyone(r))
        return;
    holders = holders_new(r);
    if (holders == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    words_add(&words, notify_str_of(holders->texts, holders->key_len));
    words_add(&words, NOTIFY_STR("CONNECTIONS"));
    call_send(r, &count_kind, holders, &words);
}

void request_handle_kick(struct request *r)
{
    if (request_text(r, "user_id").len > 0)
        kick_user(r);
    else if (request_text(r, "session_id").len > 0)
        kick_holders(r);
    else
        answer_error(r, ANSWER_MISSING_FIELD, "user_id", "user_id or session_id is needed");
}
