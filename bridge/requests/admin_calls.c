#include "requests/admin_calls.h"

#include <jansson.h>

#include "base/log.h"
#include "clients/client.h"
#include "identity/key_names.h"
#include "redis/resp.h"
#include "requests/admin_right.h"
#include "requests/admin_state.h"
#include "requests/admin_user.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/request_kick.h"
#include "requests/request_presence.h"

/* Who has done what to whom. */
static void note(const struct request *r, const char *what)
{
    struct notify_str user = request_text(r, "user_id"), by = request_user(r);

    log_info("admin", "action", what, "user", log_bytes(user.ptr, user.len), "by",
             log_bytes(by.ptr, by.len));
}

/* POST /admin/send */

static void on_sent(struct request *r, const struct resp *reply, void *ctx)
{
    struct notify_str id = resp_str(reply);

    (void)ctx;
    answer_json(r, json_pack("{s:s, s:s%}", "type", "ok", "id", id.ptr, id.len));
}

static const struct call_kind send_kind = {
    .fn = on_sent, .answer_bytes = CALL_SMALL_ANSWER, .blames = true};

static void handle_send(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {.len = 1, .at = {NOTIFY_STR("NOTIFY.SEND")}};

    if (!admin_may(r, "send"))
        return;
    note(r, "send");
    words_add(&words, key_of(r->shared->keys, KEY_INBOX, request_text(r, "user_id"), &buffer));
    words_add(&words, request_text(r, "title"));
    words_add_option(&words, NOTIFY_STR("LEVEL"), request_text(r, "level"));
    call_send(r, &send_kind, NULL, &words);
}

/* POST /admin/kick */

static void handle_kick(struct request *r)
{
    if (!admin_may(r, "kick") || !request_has_sets(r, KEY_USER_SESSIONS, "user_id"))
        return;
    note(r, "kick");
    request_kick_sessions(r);
}

/* The table. */

const struct http_call admin_state_call = {
    .type = {.name = "the state", .handle = admin_handle_state, MEMBERS(MAY("list", MEMBER_FLAG))},
    .pattern = ADMIN_PATH "/state",
    .guests = true,
};

const struct http_call admin_user_call = {
    .type = {.name = "the user",
             .handle = admin_handle_user,
             MEMBERS(MUST("user_id", MEMBER_NAME))},
    .pattern = ADMIN_PATH "/user",
    .guests = true,
};

const struct http_call admin_send_call = {
    .type = {.name = "the test",
             .handle = handle_send,
             MEMBERS(MUST("user_id", MEMBER_NAME), MUST("title", MEMBER_TITLE),
                     MAY("level", MEMBER_LEVEL))},
    .pattern = ADMIN_PATH "/send",
    .guests = true,
    .body_max = HTTP_BODY_USUAL,
};

const struct http_call admin_kick_call = {
    .type = {.name = "kick",
             .handle = handle_kick,
             MEMBERS(MUST("user_id", MEMBER_NAME), MAY("session_id", MEMBER_NAME))},
    .pattern = ADMIN_PATH "/kick",
    .guests = true,
    .body_max = HTTP_BODY_USUAL,
};
