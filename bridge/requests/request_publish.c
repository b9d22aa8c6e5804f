/* request_publish -- publish: a notification to a topic or to a user. */
#include "requests/request_handlers.h"

#include "clients/client.h"
#include "requests/call.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "redis/resp.h"

static void on_published(struct request *r, const struct resp *reply, void *ctx)
{
    struct notify_str id = resp_str(reply);

    (void)ctx;
    if (id.len == 0) {
        answer_failed_reply(r, reply);
        return;
    }
    answer_json(r, json_pack("{s:s, s:s%}", "type", "ok", "id", id.ptr, id.len));
}

static const struct call_kind publish_kind = {.fn = on_published,
                                              .answer_bytes = CALL_SMALL_ANSWER};

static struct notify_str target(const struct request *r, struct key_buffer *buffer)
{
    struct notify_str topic = request_text(r, "topic");

    if (topic.len > 0)
        return key_of(r->shared->keys, KEY_TOPIC, topic, buffer);
    return key_of(r->shared->keys, KEY_INBOX, request_text(r, "user_id"), buffer);
}

struct option_word {
    const char *member;
    struct notify_str name;
    bool
        is_json; /* goes on as it was written: 0.1, -0 and members given twice stay what they are */
};

static const struct option_word option_words[] = {
    {"content", NOTIFY_STR_INIT("CONTENT"), false},
    {"notification_type", NOTIFY_STR_INIT("TYPE"), false},
    {"category", NOTIFY_STR_INIT("CATEGORY"), false},
    {"level", NOTIFY_STR_INIT("LEVEL"), false},
    {"action", NOTIFY_STR_INIT("ACTION"), true},
    {"data", NOTIFY_STR_INIT("DATA"), true},
};

static bool may_publish(struct request *r)
{
    return request_text(r, "topic").len > 0 ? request_may(r, RIGHT_PUBLISH, "topic")
                                            : request_may(r, RIGHT_SEND, "user_id");
}

void request_handle_publish(struct request *r)
{
    struct key_buffer buffer;
    struct words words = {
        .len = 3, .at = {NOTIFY_STR("NOTIFY.SEND"), target(r, &buffer), request_text(r, "title")}};

    if (!may_publish(r))
        return;
    for (size_t i = 0; i < sizeof(option_words) / sizeof(option_words[0]); i++) {
        const struct member_value *value = request_value(r, option_words[i].member);
        if (value->raw.len == 0)
            continue;
        words_add(&words, option_words[i].name);
        words_add(&words, option_words[i].is_json ? value->raw : value->text);
    }
    call_send(r, &publish_kind, NULL, &words);
}
