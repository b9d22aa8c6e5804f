/* session_holders -- the sets that say whose a session is, for who knows its id alone.
 *
 * Nobody listens to them, and they limit nobody: nothing is decided by them. So nothing is kept
 * here of each (a set and a place as in sessions.c took 350 bytes for each connection). A
 * connection is put in there when Redis has opened it in the set of its user, put in again whenever
 * its lease there is renewed, whatever has become of it meanwhile, and taken out at its end. */
#include "clients/sessions_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "clients/client.h"
#include "clients/session_command.h"
#include "clients/session_journal.h"
#include "identity/key_names.h"
#include "redis/keyspace.h"
#include "redis/resp.h"

/* What is said of one connection, until Redis has answered. */
struct holding {
    TAILQ_ENTRY(holding) link; /* while it waits for its turn: that it has ended */
    struct sessions *all;
    struct session_lane *lane; /* where it waits, or is under way */
    uint64_t number;           /* of the place */
    char node[SESSIONS_NODE_MAX];
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
    (void)snprintf(holding->node, sizeof(holding->node), "%s", session_place_node(place));
    memcpy(holding->key, key.ptr, key.len);
    return holding;
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct holding *holding = ctx;
    struct sessions *all = holding->all;

    if (reply != NULL && reply->kind == RESP_ERROR)
        sessions_failed(all, key_of_holding(holding), reply);
    session_lane_answered(all, holding->lane, 1);
    free(holding);
    session_line_pump_soon(all);
    session_line_check_drained(all);
}

/* What cannot be sent is said again with the next touch, or ends with its lease. */
static void send_holding(struct holding *holding, const struct session_command *command)
{
    struct sessions *all = holding->all;

    holding->lane = session_lane_of(all, key_of_holding(holding));
    if (keyspace_command(all->config.commands, on_reply, holding, command->len, command->words) ==
        0)
        session_lane_sent(all, holding->lane, 1);
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
    if (place->entry == 0)
        place->entry = session_journal_add(all->config.journal, key_of_holding(holding));
    command = begin(holding, NOTIFY_STR("OPEN"));
    session_command_add(command, client_user(place->client));
    session_command_add_connection(command, holding->node, place->number);
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
    session_journal_remove(all->config.journal, place->entry);
    place->entry = 0;
    if (all->closing >= SESSIONS_CLOSING_MAX) {
        counter_add(COUNTER_SESSIONS_CLOSING, 1);
        return;
    }
    holding = holding_new(place);
    if (holding == NULL)
        return;
    if (!keyspace_has(all->config.commands, key_of_holding(holding))) {
        free(holding);
        return;
    }
    holding->lane = session_lane_of(all, key_of_holding(holding));
    TAILQ_INSERT_TAIL(&holding->lane->ended, holding, link);
    all->closing++;
    session_line_pump_soon(all);
}

static void take_off(struct holding *holding)
{
    TAILQ_REMOVE(&holding->lane->ended, holding, link);
    holding->all->closing--;
}

void session_holders_send_close(struct session_lane *lane)
{
    struct holding *holding = TAILQ_FIRST(&lane->ended);
    struct session_command *command = begin(holding, NOTIFY_STR("CLOSE"));

    take_off(holding);
    session_command_add_connection(command, holding->node, holding->number);
    send_holding(holding, command);
}

void session_holders_forget_ended(struct sessions *all, const struct keyspace_part *part)
{
    struct holding *holding, *next;

    for (size_t i = 0; i < all->lane_count; i++)
        for (holding = TAILQ_FIRST(&all->lanes[i].ended); holding != NULL; holding = next) {
            next = TAILQ_NEXT(holding, link);
            if (part != NULL && !keyspace_part_has(part, key_of_holding(holding)))
                continue;
            take_off(holding);
            free(holding);
        }
}
