#include "clients/client_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/admission.h"
#include "clients/ask.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/progress.h"
#include "clients/sessions.h"
#include "identity/key_names.h"
#include "notify_wire.h"
#include "wire/json_text.h"
#include "wire/position.h"

#define WRITTEN_QUEUE_MAX 65536 /* bytes of a queue that goes out before; more is had again */
#define VERSION 1

/* How it came. */

struct client_origin {
    char pid[CLIENT_PID_LEN + 1]; /* empty: it has none */
    json_t *auth;                 /* owned: an object, or NULL */
    json_t *offered;              /* owned: a token that is being judged; or NULL */
};

/* What of auth means something (arrival_socket.c). What else a client has put there, and how deep,
 * is not kept for as long as it stays. */
static const struct auth_part {
    const char *name;
    bool passes; /* it says how the client begins: once greeted it has done so */
} auth_parts[] = {
    {"token", false}, {"user", false}, {"recovery", false}, {"offset", true}, {"pid", true},
};
#define AUTH_PARTS (sizeof(auth_parts) / sizeof(auth_parts[0]))

/* Positions are an object; nothing else is more than a word. */
static bool is_kept(const struct auth_part *part, const json_t *value)
{
    return json_is_string(value) || json_is_boolean(value) ||
           (json_is_object(value) && strcmp(part->name, "offset") == 0);
}

/* A new object. NULL: out of memory. */
static json_t *auth_that_counts(const json_t *auth, bool greeted)
{
    json_t *ret = json_object();

    for (size_t i = 0; i < AUTH_PARTS; i++) {
        json_t *value = json_object_get(auth, auth_parts[i].name);
        if (is_kept(&auth_parts[i], value) && !(greeted && auth_parts[i].passes))
            (void)json_object_set(ret, auth_parts[i].name, value);
    }
    return ret;
}

bool client_origin_keep(struct client *client, struct notify_str auth)
{
    struct client_origin *origin = calloc(1, sizeof(*origin));
    json_t *whole;

    client->origin = origin;
    if (origin == NULL || auth.len == 0)
        return origin != NULL;
    whole = json_loadb(auth.ptr, auth.len, 0, NULL);
    if (whole != NULL) /* as it is: it was read before */
        origin->auth = auth_that_counts(whole, false);
    json_decref(whole);
    return origin->auth != NULL;
}

void client_origin_name(struct client *client, struct notify_str pid)
{
    if (pid.len > 0)
        memcpy(client->origin->pid, pid.ptr, pid.len);
    client->origin->pid[pid.len] = '\0';
}

struct notify_str client_origin_pid(const struct client *client)
{
    return notify_str_z(client->origin == NULL ? "" : client->origin->pid);
}

void client_origin_offer(struct client *client, struct notify_str token)
{
    struct client_origin *origin = client->origin;

    if (origin == NULL)
        return;
    json_decref(origin->offered);
    origin->offered = json_stringn(token.ptr, token.len);
}

void client_origin_renew(struct client *client)
{
    struct client_origin *origin = client->origin;

    if (origin == NULL || origin->offered == NULL)
        return;
    if (origin->auth == NULL)
        origin->auth = json_object();
    (void)json_object_set_new(origin->auth, "token", origin->offered);
    origin->offered = NULL;
}

void client_origin_forget(struct client *client)
{
    struct client_origin *origin = client->origin;

    if (origin == NULL)
        return;
    json_decref(origin->auth);
    json_decref(origin->offered);
    free(origin);
    client->origin = NULL;
}

/* Writing. */

static json_t *position_text(const struct position *position)
{
    char text[POSITION_TEXT_MAX + 1];

    return json_stringn(text, position_format(text, position));
}

/* The first entry of a follow that waits for the greeting. */
struct queued {
    const struct follow *follow;
    struct notify_id first; /* above all ids: there is none */
};

static void look_at(void *ctx, const struct outbox_item *item)
{
    struct queued *queued = ctx;

    if (item->source == queued->follow && !notify_id_is_zero(item->id) &&
        notify_id_cmp(item->id, queued->first) < 0)
        queued->first = item->id;
}

/* Of one that has been greeted nothing waits that has not been said by then. */
static struct notify_id first_queued(const struct follow *follow)
{
    struct queued queued = {.follow = follow, .first = OUTBOX_WHOLE_BOX};
    const struct sender *sender = &follow->client->sender;

    if (sender->state == SENDER_OPENING)
        outbox_each(&sender->outbox, look_at, &queued);
    return queued.first;
}

/* Where a follow goes on; one that has no position yet, or never has, from then on. */
static json_t *position_of(const struct follow *follow)
{
    struct position position = {.id = follow->pos, .epoch = follow_epoch(follow)};
    struct notify_id first = first_queued(follow);

    if (notify_id_cmp(first, position.id) <= 0)
        position.id = notify_id_before(first);
    return follow->plain || follow->from_now ? json_null() : position_text(&position);
}

static json_t *begin_of(const struct client *client, const struct follow *follow)
{
    struct position begin;

    return client->sender.marked && progress_begin(client->sender.progress, follow, &begin)
               ? position_text(&begin)
               : json_null();
}

/* All, or those that it has asked for; the first that was followed comes first again. A key that is
 * no UTF-8 cannot be written. */
static json_t *keys_of(const struct client *client, bool asked)
{
    json_t *keys = json_array();

    for (const struct follow *f = client->follows; f != NULL; f = f->next) {
        struct notify_str key = follow_key(f);
        json_t *name = asked && !f->asked ? NULL : json_stringn(key.ptr, key.len);
        if (name != NULL)
            (void)json_array_insert_new(
                keys, 0, json_pack("[o, o, o]", name, position_of(f), begin_of(client, f)));
    }
    return keys;
}

/* Of which it is to be told so once they, or others, are live. */
static json_t *gaps_of(const struct client *client)
{
    json_t *gaps = json_array();

    for (const struct follow *f = client->follows; f != NULL; f = f->next) {
        struct notify_str key = follow_key(f);
        if (f->gap || asks_tell_gap(&client->asks, key))
            (void)json_array_append_new(gaps, json_stringn(key.ptr, key.len));
    }
    return gaps;
}

static json_t *json_of(struct notify_str text)
{
    return json_stringn(text.len == 0 ? "" : text.ptr, text.len);
}

/* The sets that it has to do with, by the names of users and topics. */
struct sets {
    const struct key_names *keys;
    json_t *present, *users, *topics; /* borrowed arrays */
};

static void add_set(void *ctx, enum session_set_kind kind, struct notify_str key, bool has_place,
                    bool watches)
{
    const struct sets *sets = ctx;
    bool of_topic = kind == USERS_OF_TOPIC;
    struct notify_str name;

    if (!key_is(sets->keys, of_topic ? KEY_TOPIC_USERS : KEY_USER_SESSIONS, key, &name))
        return;
    if (has_place && of_topic)
        (void)json_array_append_new(sets->present, json_stringn(name.ptr, name.len));
    if (watches)
        (void)json_array_append_new(of_topic ? sets->topics : sets->users,
                                    json_stringn(name.ptr, name.len));
}

/* False: out of memory. */
static bool put_sets(json_t *state, const struct client *client)
{
    const struct client_shared *shared = client->shared;
    struct sets sets = {shared->keys, json_array(), json_array(), json_array()};
    char name[SESSIONS_CONNECTION_MAX];

    if (shared->sessions != NULL) {
        (void)json_object_set_new(state, "place",
                                  json_of(sessions_connection(shared->sessions, client, name)));
        sessions_each(client, add_set, &sets);
    }
    return json_object_set_new(state, "present", sets.present) == 0 &&
           json_object_set_new(
               state, "watches",
               json_pack("{s:o, s:o}", "users", sets.users, "topics", sets.topics)) == 0;
}

char *client_state_text(const struct client *client)
{
    const struct client_origin *origin = client->origin;
    const struct client_rate rate = client_rate(client);
    bool greeted = client->sender.state == SENDER_READY;
    json_t *auth =
        origin == NULL || origin->auth == NULL ? NULL : auth_that_counts(origin->auth, greeted);
    json_t *state = json_pack(
        "{s:i, s:o, s:o, s:o, s:o?, s:b, s:b, s:b, s:o, s:o, s:o, s:[I, I], s:I}", "v", VERSION,
        "id", json_of(client_id(client)), "user", json_of(client_user(client)), "pid",
        json_of(client_origin_pid(client)), "auth", auth, "greeted", greeted, "marks",
        client->inbox_start != NULL, "warned", admission_has_warned(client), "keys",
        keys_of(client, false), "gaps", gaps_of(client), "chosen", categories_chosen(client),
        "rate", (json_int_t)rate.messages_ms, (json_int_t)rate.warnings_ms, "at",
        (json_int_t)loop_wall_ms(client->shared->senders.loop));
    bool whole = state != NULL && put_sets(state, client) &&
                 (greeted || json_object_set_new(state, "asked", keys_of(client, true)) == 0);
    char *text = whole ? json_dumps(state, JSON_COMPACT) : NULL;

    json_decref(state);
    return text;
}

char *client_state_again(const struct client_state *state)
{
    return json_dumps(state->json, JSON_COMPACT);
}

char *client_state_write(struct client *client)
{
    if (client->sender.state == SENDER_READY && client->sender.outbox.bytes > WRITTEN_QUEUE_MAX)
        client_drop_queue(client);
    sender_park(&client->sender);
    return client_state_text(client);
}

/* Reading. */

static bool is_key(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0 &&
           json_string_length(value) <= NOTIFY_KEY_MAX;
}

static bool is_position(const json_t *value)
{
    struct position position;

    return json_is_null(value) ||
           (json_is_string(value) &&
            position_parse(notify_str_of(json_string_value(value), json_string_length(value)),
                           &position));
}

static bool are_keys(const json_t *keys, size_t max)
{
    const json_t *one;
    size_t i;

    if (!json_is_array(keys) || json_array_size(keys) > max)
        return false;
    json_array_foreach(keys, i, one)
    {
        if (json_array_size(one) != 3 || !is_key(json_array_get(one, 0)) ||
            !is_position(json_array_get(one, 1)) || !is_position(json_array_get(one, 2)))
            return false;
    }
    return true;
}

static bool is_choice(const json_t *chosen)
{
    const json_t *joined = json_object_get(chosen, "joined"),
                 *left = json_object_get(chosen, "left");

    return json_is_null(chosen) ||
           (json_is_array(joined) && json_is_array(left) &&
            json_array_size(joined) + json_array_size(left) <= CATEGORIES_CHOSEN_MAX);
}

/* Such as we make: base64url. */
static bool is_id(const json_t *value, size_t len)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    return json_is_string(value) && json_string_length(value) == len &&
           strspn(json_string_value(value), letters) == len;
}

/* What of it has not passed since. Whatever stands there, it is no more than can be. */
static uint64_t left_of(const json_t *ms, json_int_t passed_ms)
{
    json_int_t left = json_integer_value(ms);

    if (passed_ms < 0 || left <= 0)
        return left <= 0 ? 0 : (uint64_t)left;
    return left > passed_ms ? (uint64_t)(left - passed_ms) : 0;
}

static void read_rate(struct client_state *state, uint64_t now_ms)
{
    const json_t *rate = json_object_get(state->json, "rate");
    json_int_t at = json_integer_value(json_object_get(state->json, "at")),
               passed = at < 0 || at > (json_int_t)now_ms ? 0 : (json_int_t)now_ms - at;

    state->rate = (struct client_rate){.messages_ms = left_of(json_array_get(rate, 0), passed),
                                       .warnings_ms = left_of(json_array_get(rate, 1), passed)};
}

static bool read_all(struct client_state *state, size_t id_len, size_t max_keys)
{
    const json_t *id = json_object_get(state->json, "id"),
                 *auth = json_object_get(state->json, "auth");

    if (json_integer_value(json_object_get(state->json, "v")) != VERSION || !is_id(id, id_len) ||
        !(json_is_null(auth) || json_is_object(auth)))
        return false;
    state->id = json_text_of(id);
    state->user = json_text_of(json_object_get(state->json, "user"));
    state->pid = json_text_of(json_object_get(state->json, "pid"));
    state->auth = json_is_null(auth) ? NULL : auth;
    state->greeted = json_is_true(json_object_get(state->json, "greeted"));
    state->marks = json_is_true(json_object_get(state->json, "marks"));
    state->warned = json_is_true(json_object_get(state->json, "warned"));
    state->keys = json_object_get(state->json, "keys");
    state->asked = json_object_get(state->json, "asked");
    state->gaps = json_object_get(state->json, "gaps");
    state->chosen = json_object_get(state->json, "chosen");
    state->place = json_text_of(json_object_get(state->json, "place"));
    state->present = json_object_get(state->json, "present");
    state->watches = json_object_get(state->json, "watches");
    return state->pid.len <= CLIENT_PID_LEN && are_keys(state->keys, max_keys) &&
           (state->asked == NULL || are_keys(state->asked, max_keys)) && is_choice(state->chosen);
}

bool client_state_read(struct client_state *ret, struct notify_str text, size_t id_len,
                       const struct client_shared *shared)
{
    *ret =
        (struct client_state){.json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL)};
    if (ret->json != NULL && read_all(ret, id_len, shared->max_subscriptions)) {
        read_rate(ret, loop_wall_ms(shared->senders.loop));
        return true;
    }
    client_state_release(ret);
    return false;
}

void client_state_release(struct client_state *state)
{
    json_decref(state->json);
    state->json = NULL;
}
