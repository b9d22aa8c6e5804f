#include "clients/auto_follow.h"

#include <errno.h>

#include "channels/follow.h"
#include "clients/client.h"
#include "clients/client_state.h"
#include "clients/following.h"
#include "clients/opening.h"
#include "clients/permission.h"
#include "clients/progress.h"
#include "clients/rewinding.h"
#include "clients/sessions.h"
#include "identity/key_names.h"
#include "identity/plain_channels.h"
#include "wire/json_text.h"
#include "wire/position.h"

/* Its places. One that names no session has one that nobody else can name, so nobody asks whose it
 * is; and nobody asks for a user without a name. */
static int enter_sessions(struct client *client, const struct opening *opening)
{
    struct client_shared *shared = client->shared;
    struct key_buffer buffer;
    struct notify_str key;
    int error;

    if (shared->sessions == NULL || client->identity->anonymous)
        return 0;
    client->awaits |= AWAIT_SESSIONS;
    key = key_of(shared->keys, KEY_USER_SESSIONS, client_user(client), &buffer);
    error = sessions_enter(shared->sessions, client, SESSIONS_OF_USER, key);
    if (error == 0 && opening->client_id.len > 0 &&
        shared->keys->patterns[KEY_SESSION_USERS][0] != '\0')
        sessions_name_holder(client);
    return error;
}

/* The keys that a client follows without asking. */
struct auto_keys {
    struct client *client;
    struct ask *ask;
    struct ask *resumed;         /* of those that it has brought a position of; or NULL */
    struct rewinding *rewinding; /* is told of them, and they are not followed; or NULL */
    int error;
};

static void follow_by_itself(struct auto_keys *keys, struct notify_str key,
                             const struct notify_id *from)
{
    struct client *client = keys->client;
    struct position position = {.epoch = 0};
    bool brought;

    if (from != NULL)
        position.id = *from;
    if (keys->error != 0 || key.len == 0 || client_find_follow(client, key) != NULL)
        return;
    if (keys->rewinding != NULL) {
        keys->error = rewinding_add(keys->rewinding, key) ? 0 : -ENOMEM;
        return;
    }
    brought = keys->resumed != NULL && progress_find(client->sender.progress, key, &position);
    keys->error = client_follow(client, key, brought || from != NULL ? &position : NULL,
                                brought ? keys->resumed : keys->ask);
    if (keys->error == -E2BIG)
        client_tell_error(client, key, "TOO_MANY_SUBSCRIPTIONS", CLIENT_TOO_MANY_KEYS_TEXT);
    else if (keys->error == -EUSERS)
        client_tell_error(client, key, "UNAVAILABLE", CLIENT_TOO_MANY_PATTERNS_TEXT);
    else
        return;
    keys->error = 0; /* the others are followed all the same: roles may name many */
}

static void tell_resumed(struct client *client, struct ask *ask)
{
    sender_set_begins(&client->sender, true);
    client_tell_resumed(client, ask->results);
    sender_set_begins(&client->sender, false);
}

static const struct ask_kind resume_kind = {.done = tell_resumed, .results = true, .tells = true};

/* NULL: out of memory. */
static struct ask *open_ask(struct client *client, const struct ask_kind *kind, size_t max)
{
    struct ask *ask = ask_new(kind, max, NULL, 0, NULL);

    if (ask != NULL)
        ask_open(&client->asks, ask, client, &client->sender);
    return ask;
}

/* As "resume" does, and so told. One with a position loses nothing by being greeted early, and what
 * it missed may be more than the outbox holds: the rest comes only once the client reads, which it
 * does once greeted. */
static int resume_by_itself(struct client *client, struct notify_str key,
                            const struct position *from)
{
    struct ask *ask = open_ask(client, &resume_kind, 1);
    int error;

    if (ask == NULL)
        return -ENOMEM;
    error = client_follow(client, key, from, ask);
    if (error == 0)
        ask_close(&client->asks, ask);
    return error;
}

/* What the address asks for, as far as it may. */
static void follow_if_it_may(struct auto_keys *keys, enum key_kind kind, struct notify_str name)
{
    struct client *client = keys->client;
    struct key_buffer buffer;
    struct notify_str key = key_of(client->shared->keys, kind, name, &buffer);

    if (key.len == 0 || client_may_follow(client, key))
        follow_by_itself(keys, key, NULL);
    else if (keys->rewinding == NULL)
        client_tell_error(client, key, "FORBIDDEN", CLIENT_NO_RIGHT_TEXT);
}

static void follow_of_address(struct auto_keys *keys, const struct opening *opening)
{
    const char *rest = opening->topics;
    struct notify_str topic;

    if (opening->in_session)
        follow_if_it_may(keys, KEY_SESSION, opening->client_id);
    while (opening_next_name(&rest, &topic))
        follow_if_it_may(keys, KEY_TOPIC, topic);
}

/* Those without a box: nothing of them is to be had again. */
static void follow_channels(struct auto_keys *keys, const struct opening *opening)
{
    struct client *client = keys->client;
    const char *rest = opening->channels;
    struct notify_str name;

    while (keys->rewinding == NULL && opening_next_name(&rest, &name))
        if (name.len == 0 || (plain_channels_have(client->shared->channels, name) &&
                              client_may_follow(client, name)))
            follow_by_itself(keys, name, NULL);
        else
            client_tell_error(client, name, "FORBIDDEN", CLIENT_NO_RIGHT_TEXT);
}

/* One of those that its roles follow at once. */
static void follow_of_role(void *ctx, struct notify_str topic)
{
    struct auto_keys *keys = ctx;
    struct key_buffer buffer;

    if (key_name_is_valid(topic))
        follow_by_itself(keys, key_of(keys->client->shared->keys, KEY_TOPIC, topic, &buffer), NULL);
}

static void count_name(void *ctx, struct notify_str name)
{
    (void)name;
    ++*(size_t *)ctx;
}

size_t auto_follow_count(const struct client_shared *shared, const struct opening *opening)
{
    size_t count = 1 + opening->in_session + opening_name_count(opening);

    for (const char *const *log = shared->broadcast_logs; *log != NULL; log++)
        count++;
    return count;
}

/* What it goes on from. False: out of memory. */
static bool begin_resuming(struct auto_keys *keys, size_t count)
{
    const struct progress *progress = keys->client->sender.progress;

    if (progress == NULL || !progress_has_begin(progress))
        return true;
    keys->resumed = open_ask(keys->client, &resume_kind, count);
    return keys->resumed != NULL;
}

static void end_resuming(struct auto_keys *keys)
{
    struct asks *asks = &keys->client->asks;

    if (keys->resumed != NULL && keys->resumed->len == 0)
        ask_cancel(asks, keys->resumed);
    else if (keys->resumed != NULL)
        ask_close(asks, keys->resumed);
    if (keys->client->sender.progress != NULL)
        progress_forget_brought(keys->client->sender.progress);
}

/* Its inbox is to count the logs. A name that was made up for want of one is nobody's, and comes
 * never again: nothing is kept for it. */
static void follow_logs(struct client *client, const struct opening *opening)
{
    const struct identity *identity = client->identity;
    bool is_made_up =
        identity->everything && opening->user[0] == '\0' && opening->client_id.len == 0;

    if (!identity->anonymous && !is_made_up && following_begin(client))
        client->awaits |= AWAIT_LOGS;
}

/* from: where its inbox is followed from, if not from where its address says; or NULL: from now on.
 */
static void follow_each(struct auto_keys *keys, const struct opening *opening,
                        const struct notify_id *from)
{
    struct client *client = keys->client;
    struct key_buffer buffer;
    struct notify_str inbox = client_inbox(client, &buffer);

    if (!client->identity->anonymous && opening->has_last_id)
        keys->error = resume_by_itself(client, inbox, &opening->last_id);
    else if (!client->identity->anonymous)
        follow_by_itself(keys, inbox, from);
    for (const char *const *log = client->shared->broadcast_logs; *log != NULL; log++)
        follow_by_itself(keys, notify_str_z(*log), NULL);
    follow_of_address(keys, opening);
    follow_channels(keys, opening);
    identity_each(client->identity, RIGHT_FOLLOW, false, follow_of_role, keys);
}

static bool read_position(const json_t *value, struct position *ret)
{
    return json_is_string(value) && position_parse(json_text_of(value), ret);
}

/* Where one key of a state goes on. Of one that comes back with a bookmark that says, and of what
 * that does not know nothing was had; of any other the state does. */
static bool stood_at(const struct client *client, const json_t *one, struct position *ret)
{
    const struct progress *progress = client->sender.progress;

    if (progress == NULL || progress_brought(progress) != PROGRESS_BOOKMARK)
        return read_position(json_array_get(one, 1), ret);
    return progress_find(progress, json_text_of(json_array_get(one, 0)), ret) ||
           read_position(json_array_get(one, 2), ret);
}

/* at: NULL: from now on. */
static int follow_at(struct client *client, struct notify_str key, const struct position *at,
                     struct ask *ask)
{
    int error;

    if (client_find_follow(client, key) != NULL) /* named twice */
        return 0;
    if (!client_may_follow(client, key)) {
        client_tell_error(client, key, "FORBIDDEN", CLIENT_NO_RIGHT_TEXT);
        return 0;
    }
    error = client_follow(client, key, at, ask);
    if (error == -E2BIG)
        client_tell_error(client, key, "TOO_MANY_SUBSCRIPTIONS", CLIENT_TOO_MANY_KEYS_TEXT);
    else if (error == -EUSERS)
        client_tell_error(client, key, "UNAVAILABLE", CLIENT_TOO_MANY_PATTERNS_TEXT);
    else if (error != 0)
        return error;
    else
        client->follows->untold = true; /* by then it may not have been told of its place's epoch */
    return 0;
}

/* one: [key, position, where it began]. */
static int follow_again(struct client *client, const json_t *one, struct ask *ask)
{
    struct position position;
    bool has = stood_at(client, one, &position);

    return follow_at(client, json_text_of(json_array_get(one, 0)), has ? &position : NULL, ask);
}

/* The same of one that its client has asked for: not where that came from says where it stands. */
static int follow_asked(struct client *client, const json_t *one, struct ask *ask)
{
    const struct follow *before = client->follows;
    struct position position;
    bool has = read_position(json_array_get(one, 1), &position);
    int error =
        follow_at(client, json_text_of(json_array_get(one, 0)), has ? &position : NULL, ask);

    if (client->follows != before)
        client->follows->asked = true;
    return error;
}

/* Of names that a state has, whatever those are. */
static void each_name(struct client *client, const json_t *names,
                      void (*fn)(struct client *client, struct notify_str name))
{
    const json_t *one;
    size_t i;

    json_array_foreach(names, i, one)
    {
        if (json_is_string(one) && key_name_is_valid(json_text_of(one)) &&
            sessions_count_of(client) < client->shared->max_subscriptions)
            fn(client, json_text_of(one));
    }
}

/* Whoever is present in a topic follows it. */
static void enter_topic(struct client *client, struct notify_str topic)
{
    const struct client_shared *shared = client->shared;
    struct key_buffer buffer;
    struct notify_str key = key_of(shared->keys, KEY_TOPIC, topic, &buffer);

    if (client_find_follow(client, key) != NULL)
        (void)sessions_enter(shared->sessions, client, USERS_OF_TOPIC,
                             key_of(shared->keys, KEY_TOPIC_USERS, topic, &buffer));
}

static void watch_user(struct client *client, struct notify_str user)
{
    const struct client_shared *shared = client->shared;
    struct key_buffer buffer;

    if (notify_str_eq(user, client_user(client)) ||
        identity_may(client->identity, RIGHT_PRESENCE, user))
        (void)sessions_watch_again(shared->sessions, client, SESSIONS_OF_USER,
                                   key_of(shared->keys, KEY_USER_SESSIONS, user, &buffer));
}

static void watch_topic(struct client *client, struct notify_str topic)
{
    const struct client_shared *shared = client->shared;
    struct key_buffer buffer;

    if (identity_may(client->identity, RIGHT_PRESENCE, topic))
        (void)sessions_watch_again(shared->sessions, client, USERS_OF_TOPIC,
                                   key_of(shared->keys, KEY_TOPIC_USERS, topic, &buffer));
}

/* Behind what it follows. */
static void enter_again(struct client *client, const struct client_state *state)
{
    if (client->shared->sessions == NULL)
        return;
    each_name(client, state->present, enter_topic);
    each_name(client, json_object_get(state->watches, "users"), watch_user);
    each_name(client, json_object_get(state->watches, "topics"), watch_topic);
}

/* Between two polls its place stayed; a connection that broke had none any more. */
static int enter_sessions_again(struct client *client, const struct client_state *state)
{
    const struct opening nameless = {.client_id = {NULL, 0}};

    if (client->opening->accepted)
        (void)sessions_return(client, state->place); /* else it enters anew */
    return enter_sessions(client, &nameless);
}

int auto_follow_again(struct client *client, const struct client_state *state,
                      const struct ask_kind *gone)
{
    struct ask *ask = open_ask(client, gone, json_array_size(state->keys));
    int error = ask == NULL ? -ENOMEM : enter_sessions_again(client, state);
    const json_t *one;
    size_t i;

    json_array_foreach(state->keys, i, one)
    {
        if (error == 0)
            error = follow_again(client, one, ask);
    }
    if (error != 0)
        return error;
    if (client->sender.progress != NULL)
        progress_forget_brought(client->sender.progress);
    following_go_on(client);
    following_note(client);
    enter_again(client, state);
    ask_close(&client->asks, ask);
    return 0;
}

int auto_follow_asked(struct client *client, const struct client_state *state,
                      const struct ask_kind *gone)
{
    struct ask *ask;
    const json_t *one;
    size_t i;
    int error = 0;

    if (client->opening->accepted)
        (void)sessions_return(client, state->place);
    if (json_array_size(state->asked) == 0)
        return 0;
    ask = open_ask(client, gone, json_array_size(state->asked));
    if (ask == NULL)
        return -ENOMEM;
    json_array_foreach(state->asked, i, one)
    {
        if (error == 0)
            error = follow_asked(client, one, ask);
    }
    if (error == 0)
        ask_close(&client->asks, ask);
    return error;
}

int auto_follow(struct client *client, const struct opening *opening, const struct notify_id *from,
                const struct ask_kind *live)
{
    struct auto_keys keys = {.client = client};
    size_t count = auto_follow_count(client->shared, opening);

    if (enter_sessions(client, opening) != 0)
        return -ENOMEM;
    follow_logs(client, opening);
    identity_each(client->identity, RIGHT_FOLLOW, false, count_name, &count);
    keys.ask = open_ask(client, live, count);
    if (keys.ask == NULL || !begin_resuming(&keys, count))
        return -ENOMEM;
    sender_set_begins(&client->sender, true);
    follow_each(&keys, opening, from);
    sender_set_begins(&client->sender, false);
    if (keys.error != 0)
        return keys.error; /* as below */
    following_note(client);
    end_resuming(&keys);
    if (opening->state.json != NULL)
        enter_again(client, &opening->state);
    ask_close(&client->asks, keys.ask);
    return keys.error; /* a client that could not be opened takes its asks with it */
}

bool auto_follow_name(struct client *client, const struct opening *opening,
                      struct rewinding *rewinding)
{
    struct auto_keys keys = {.client = client, .rewinding = rewinding};

    follow_each(&keys, opening, NULL);
    return keys.error == 0;
}
