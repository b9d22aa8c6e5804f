/* session_holders -- the sets that say whose a session is, for who knows its id alone.
 *
 * Nobody listens to them, and they limit nobody: nothing is decided by them. So nothing is kept
 * here of each (a set and a place as in sessions.c took 350 bytes for each connection). A
 * connection is put in there when Redis has opened it in the set of its user, put in again whenever
 * its lease there is renewed, whatever has become of it meanwhile, and taken out at its end. */
#include "clients/sessions_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/client.h"
#include "clients/session_command.h"
#include "identity/key_names.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

/* What is said of one connection, until Redis has answered. */
struct holding {
    TAILQ_ENTRY(holding) link; /* while it waits for its turn: that it has ended */
    struct sessions *all;
    uint64_t number; /* of the client */
    size_t key_len;
    char key[];
};

static struct notify_str key_of_holding(const struct holding *holding)
{
    return notify_str_of(holding->key, holding->key_len);
}

static struct holding *holding_new(const struct session_place *place)
{
    struct sessions *all = place->set->all;
    struct key_buffer buffer;
    struct notify_str key =
        key_of(all->config.keys, KEY_SESSION_USERS, client_session(place->client), &buffer);
    struct holding *holding = key.len == 0 ? NULL : malloc(sizeof(*holding) + key.len);

    if (holding == NULL)
        return NULL;
    *holding = (struct holding){.all = all, .number = place->number, .key_len = key.len};
    memcpy(holding->key, key.ptr, key.len);
    return holding;
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct holding *holding = ctx;
    struct sessions *all = holding->all;

    if (reply != NULL && reply->kind == RESP_ERROR)
        sessions_failed(all, key_of_holding(holding), reply);
    free(holding);
    all->in_flight--;
    session_line_pump_soon(all);
    session_line_check_drained(all);
}

/* What cannot be sent is said again with the next touch, or ends with its lease. */
static void send_holding(struct holding *holding, const struct session_command *command)
{
    struct sessions *all = holding->all;

    if (redis_link_command(all->config.commands, on_reply, holding, command->len, command->words) ==
        0)
        all->in_flight++;
    else
        free(holding);
}

static struct session_command *begin(const struct holding *holding, struct notify_str what)
{
    static struct session_command command;

    session_command_begin(&command, what, key_of_holding(holding));
    return &command;
}

void session_holder_open(struct session_place *place)
{
    struct sessions *all = place->set->all;
    struct holding *holding = all->draining ? NULL : holding_new(place);
    struct session_command *command;

    if (holding == NULL)
        return;
    place->holds = true;
    command = begin(holding, NOTIFY_STR("OPEN"));
    session_command_add(command, client_user(place->client));
    session_command_add_connection(command, all->node, place->number);
    session_command_add(command, NOTIFY_STR("LEASE"));
    session_command_add(command, notify_str_z(all->texts.lease));
    session_command_add_origin(command, all->node, place->client);
    send_holding(holding, command);
}

void session_holder_close(struct session_place *place)
{
    struct sessions *all = place->set->all;
    struct holding *holding;

    if (!place->holds)
        return;
    place->holds = false;
    if (!redis_link_is_up(all->config.commands))
        return;
    if (all->closing >= SESSIONS_CLOSING_MAX) {
        counter_add(COUNTER_SESSIONS_CLOSING, 1);
        return;
    }
    holding = holding_new(place);
    if (holding == NULL)
        return;
    TAILQ_INSERT_TAIL(&all->ended, holding, link);
    all->closing++;
    session_line_pump_soon(all);
}

static struct holding *take_ended(struct sessions *all)
{
    struct holding *holding = TAILQ_FIRST(&all->ended);

    TAILQ_REMOVE(&all->ended, holding, link);
    all->closing--;
    return holding;
}

void session_holders_send_close(struct sessions *all)
{
    struct holding *holding = take_ended(all);
    struct session_command *command = begin(holding, NOTIFY_STR("CLOSE"));

    session_command_add_connection(command, all->node, holding->number);
    send_holding(holding, command);
}

void session_holders_forget_ended(struct sessions *all)
{
    while (!TAILQ_EMPTY(&all->ended))
        free(take_ended(all));
}
