/* session_renewal -- the leases of one connection in each of many sets, renewed by one command.
 *
 * With ten thousand connections a command for each set was half of what they cost while nothing
 * happens. Pairs of a set and a connection are put together while the line is served, and sent at
 * its end, in a cluster those of each slot by themselves; what Redis does not know any more is
 * opened again. A server that is too old for it, or refuses it for one of the sets, is told of each
 * set by itself. */
#include "clients/sessions_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "clients/client.h"
#include "clients/session_command.h"
#include "identity/key_names.h"
#include "redis/keyspace.h"
#include "redis/resp.h"

#define PAIRS 64 /* as many as RENEW takes */
#define FIRST_WORDS 4
#define KEYS_BYTES 8192 /* of those keys that are no set's own */

/* What is under way. */
struct session_renewal {
    struct sessions *all;
    struct session_lane *lane;
    size_t len;
    struct renewed {
        struct session_set *set;
        bool of_holder; /* not in the set itself, but in that of those who hold its session */
    } at[];
};

/* What is put together; nothing in it outlives a turn of the line. */
static struct gathering {
    size_t len;
    struct gathered {
        struct renewed renewed;
        unsigned slot;
        struct notify_str key, name;
    } at[PAIRS];
    char names[PAIRS][SESSIONS_CONNECTION_MAX];
    char keys[KEYS_BYTES];
    size_t keys_len;
} gathering;

/* It lost nothing, but could not be asked: each set by itself, in another round. */
static void touch_each(const struct session_renewal *renewal)
{
    for (size_t i = 0; i < renewal->len; i++) {
        renewal->at[i].set->round++;
        session_line_add(renewal->at[i].set);
    }
}

static void on_lost(const struct renewed *renewed)
{
    struct session_place *place;

    if (!renewed->of_holder) {
        counter_add(COUNTER_SESSIONS_LOST, 1);
        session_set_open_again(renewed->set);
        return;
    }
    TAILQ_FOREACH(place, &renewed->set->places, link)
    {
        if (place->holds && place->state == PLACE_OPEN)
            session_holder_open(place);
    }
}

static void take_reply(const struct session_renewal *renewal, const struct resp *reply)
{
    for (size_t i = 0; i < reply->len; i++) {
        int64_t lost = resp_integer(reply->items[i], -1);
        if (lost >= 0 && lost < (int64_t)renewal->len)
            on_lost(&renewal->at[lost]);
    }
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct session_renewal *renewal = ctx;
    struct sessions *all = renewal->all;

    if (reply != NULL && reply->kind == RESP_ARRAY) {
        take_reply(renewal, reply);
    } else if (resp_splits(reply) || resp_is_passing_error(reply)) {
        if (resp_splits(reply)) /* their slot moves */
            touch_each(renewal);
    } else if (reply != NULL) {
        log_debug("sessions_not_renewed", "text",
                  reply->kind == RESP_ERROR ? log_bytes(reply->str.ptr, reply->str.len) : "");
        all->knows_renew = false;
        touch_each(renewal);
    }
    session_lane_answered(all, renewal->lane, renewal->len);
    for (size_t i = 0; i < renewal->len; i++)
        session_line_answered(renewal->at[i].set);
    free(renewal);
    session_line_pump_soon(all);
    session_line_check_drained(all);
}

static bool is_before(const struct gathered *a, const struct gathered *b)
{
    return a->slot < b->slot;
}

/* Those of one slot stand together; with one server they do anyway. Few: by insertion. */
static void sort(void)
{
    for (size_t i = 1; i < gathering.len; i++) {
        struct gathered moved = gathering.at[i];
        size_t at = i;
        for (; at > 0 && is_before(&moved, &gathering.at[at - 1]); at--)
            gathering.at[at] = gathering.at[at - 1];
        gathering.at[at] = moved;
    }
}

/* One command for len of them. What cannot be sent ends as when the link was lost: its leases are
 * renewed in the next round. */
static void send_some(struct sessions *all, const struct gathered *first, size_t len)
{
    struct session_renewal *renewal = malloc(sizeof(*renewal) + len * sizeof(renewal->at[0]));
    struct notify_str words[FIRST_WORDS + 2 * PAIRS] = {NOTIFY_STR("NOTIFY.SESSION"),
                                                        NOTIFY_STR("RENEW"), NOTIFY_STR("LEASE"),
                                                        notify_str_z(all->texts.lease)};

    if (renewal == NULL) {
        for (size_t i = 0; i < len; i++)
            session_line_answered(first[i].renewed.set);
        return;
    }
    *renewal =
        (struct session_renewal){.all = all, .lane = session_lane_of(all, first->key), .len = len};
    for (size_t i = 0; i < len; i++) {
        renewal->at[i] = first[i].renewed;
        words[FIRST_WORDS + 2 * i] = first[i].key;
        words[FIRST_WORDS + 2 * i + 1] = first[i].name;
    }
    session_lane_sent(all, renewal->lane, len);
    if (keyspace_command(all->config.commands, on_reply, renewal, FIRST_WORDS + 2 * len, words) !=
        0)
        on_reply(renewal, NULL);
}

void session_renewal_send(struct sessions *all)
{
    const struct gathered *at = gathering.at;
    size_t end;

    sort();
    for (size_t i = 0; i < gathering.len; i = end) {
        for (end = i + 1; end < gathering.len && at[end].slot == at[i].slot; end++)
            ;
        send_some(all, &at[i], end - i);
    }
    gathering.len = gathering.keys_len = 0;
}

static void add(const struct session_place *place, struct notify_str key, bool of_holder)
{
    struct sessions *all = place->set->all;
    size_t i = gathering.len++;

    gathering.at[i] =
        (struct gathered){.renewed = {place->set, of_holder},
                          .slot = keyspace_slot(all->config.commands, key),
                          .key = key,
                          .name = session_connection_name(
                              gathering.names[i], session_place_node(place), place->number)};
    place->set->in_flight++;
    if (gathering.len == PAIRS)
        session_renewal_send(all);
}

void session_renewal_add(const struct session_place *place)
{
    add(place, session_set_key(place->set), false);
}

void session_renewal_add_holder(const struct session_place *place)
{
    struct sessions *all = place->set->all;
    struct key_buffer buffer;
    struct notify_str key =
        key_of(all->config.keys, KEY_SESSION_USERS, client_session(place->client), &buffer);

    if (gathering.keys_len + key.len > KEYS_BYTES)
        session_renewal_send(all);
    memcpy(gathering.keys + gathering.keys_len, key.ptr, key.len);
    key.ptr = gathering.keys + gathering.keys_len;
    gathering.keys_len += key.len;
    add(place, key, true);
}
