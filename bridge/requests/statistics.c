#include "requests/statistics.h"

#include <stdlib.h>

#include "base/counters.h"
#include "base/hash.h"
#include "clients/client.h"
#include "clients/sessions.h"

#define CLIENTS_MAX 20000 /* that are counted: a few ms, in which nobody else has his turn */
#define LIST_BYTES 65536
#define ROW_BYTES 64 /* of the list, beside its names */

/* Whose session a connection is of: equal where these are. */
struct membership {
    uint64_t user, session;
    const struct client *client;
};

struct census {
    struct membership *at; /* owned */
    size_t len;
    bool whole; /* all are in it */
    size_t users, sessions;
};

static int compare(const void *left, const void *right)
{
    const struct membership *a = left, *b = right;

    if (a->user != b->user)
        return a->user < b->user ? -1 : 1;
    return (a->session > b->session) - (a->session < b->session);
}

/* Whoever is known, and is there for more than one answer. */
static bool counts(const struct client *client)
{
    return client->identity != NULL && !client->streams;
}

static void collect(struct census *census, const struct client_shared *shared)
{
    struct hash_key key = hash_key_new();
    const struct client *client;

    TAILQ_FOREACH(client, &shared->all, all_link)
    {
        if (!counts(client))
            continue;
        if (census->len == CLIENTS_MAX)
            return;
        census->at[census->len++] =
            (struct membership){hash_bytes(&key, client_user(client)),
                                hash_bytes(&key, client_session(client)), client};
    }
    census->whole = true;
}

static bool begins_user(const struct census *census, size_t i)
{
    return i == 0 || census->at[i].user != census->at[i - 1].user;
}

static bool begins_session(const struct census *census, size_t i)
{
    return begins_user(census, i) || census->at[i].session != census->at[i - 1].session;
}

/* False: out of memory. */
static bool census_take(struct census *census, const struct client_shared *shared)
{
    *census = (struct census){.at = calloc(CLIENTS_MAX, sizeof(struct membership))};
    if (census->at == NULL)
        return false;
    collect(census, shared);
    qsort(census->at, census->len, sizeof(census->at[0]), compare);
    for (size_t i = 0; i < census->len; i++) {
        census->users += begins_user(census, i);
        census->sessions += begins_session(census, i);
    }
    return true;
}

/* The list of sessions: as many as there is room for. */

static json_t *session_at(const struct census *census, size_t i, size_t *bytes)
{
    struct notify_str session = client_session(census->at[i].client),
                      user = client_user(census->at[i].client);
    size_t end = i + 1;

    while (end < census->len && !begins_session(census, end))
        end++;
    *bytes += ROW_BYTES + session.len + user.len;
    return json_pack("{s:s%, s:s%, s:I}", "session_id", session.ptr, session.len, "user_id",
                     user.ptr, user.len, "connections", (json_int_t)(end - i));
}

static json_t *list_of(const struct census *census, bool *ret_more)
{
    json_t *list = json_array();
    size_t bytes = 0;

    *ret_more = !census->whole;
    for (size_t i = 0; i < census->len; i++) {
        if (!begins_session(census, i))
            continue;
        if (bytes >= LIST_BYTES) {
            *ret_more = true;
            break;
        }
        (void)json_array_append_new(list, session_at(census, i, &bytes));
    }
    return list;
}

/* The answer. */

static json_t *gauge(enum counter counter)
{
    return json_integer((json_int_t)counter_values[counter]);
}

/* Null: there are more than are counted. */
static json_t *counted(const struct census *census, size_t count)
{
    return census->whole ? json_integer((json_int_t)count) : json_null();
}

/* How many there are of each kind. */
static json_t *kinds(const struct client_shared *shared)
{
    json_t *ret = json_object();

    for (size_t i = 0; i < CLIENT_KINDS; i++)
        (void)json_object_set_new(ret, client_kind_name((enum client_kind)i),
                                  json_integer((json_int_t)shared->kinds.of[i]));
    return ret;
}

static bool is_up(enum counter link)
{
    return counter_values[link] != 0;
}

static json_t *answer_of(const struct client_shared *shared, const struct census *census)
{
    const struct sessions *sessions = shared->sessions;
    bool subscriber, commands;

    counters_set_gauges();
    subscriber = is_up(COUNTER_SUBSCRIBER_UP);
    commands = is_up(COUNTER_COMMANDS_UP);
    return json_pack(
        "{s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:{s:b, s:b}}", "type",
        "statistics", "node", sessions == NULL ? NULL : sessions_node(sessions), "connections",
        gauge(COUNTER_CONNECTIONS), "streams", gauge(COUNTER_STREAMS), "clients", kinds(shared),
        "users", counted(census, census->users), "sessions", counted(census, census->sessions),
        "subscriptions", gauge(COUNTER_SUBSCRIPTIONS), "channels", gauge(COUNTER_CHANNELS),
        "agent_requests_waiting", gauge(COUNTER_AGENT_WAITING), "notification_service_connected",
        subscriber && commands, "redis", "subscriber", subscriber, "commands", commands);
}

static void add_list(json_t *answer, const struct census *census)
{
    bool more;

    (void)json_object_set_new(answer, "list", list_of(census, &more));
    if (more)
        (void)json_object_set_new(answer, "more", json_true());
}

json_t *statistics_of(const struct client_shared *shared, bool list)
{
    struct census census;
    json_t *answer;

    if (!census_take(&census, shared))
        return NULL;
    answer = answer_of(shared, &census);
    if (answer != NULL && list)
        add_list(answer, &census);
    free(census.at);
    return answer;
}

char *statistics_text(const struct client_shared *shared)
{
    json_t *statistics = statistics_of(shared, false);
    char *text;

    (void)json_object_del(statistics, "type");
    text = json_dumps(statistics, JSON_COMPACT);
    json_decref(statistics);
    return text;
}
