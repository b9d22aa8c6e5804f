/* session_renewal -- the leases of one connection in each of many sets, renewed by one command.
 *
 * With ten thousand connections a command for each set was half of what they cost while nothing
 * happens. Pairs of a set and a connection are put together while the line is served, and sent at
 * its end; what Redis does not know any more is opened again. A server that is too old for it, or
 * refuses it for one of the sets, is told of each set by itself. */
#include "clients/sessions_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "clients/client.h"
#include "clients/session_command.h"
#include "identity/key_names.h"
#include "redis/redis_link.h"
#include "redis/resp.h"

#define PAIRS 64 /* as many as RENEW takes */
#define FIRST_WORDS 4
#define KEYS_BYTES 8192 /* of those keys that are no set's own */

/* What is under way. */
struct session_renewal {
    struct sessions *all;
    size_t len;
    struct renewed {
        struct session_set *set;
        bool of_holder; /* not in the set itself, but in that of those who hold its session */
    } at[PAIRS];
};

/* What is put together; nothing in it outlives a turn of the line. */
static struct gathering {
    struct session_renewal *renewal; /* owned; NULL: nothing yet */
    struct notify_str words[FIRST_WORDS + 2 * PAIRS];
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
    } else if (reply != NULL) {
        log_debug("sessions_not_renewed", "text",
                  reply->kind == RESP_ERROR ? log_bytes(reply->str.ptr, reply->str.len) : "");
        all->knows_renew = false;
        touch_each(renewal);
    }
    all->in_flight -= renewal->len;
    for (size_t i = 0; i < renewal->len; i++)
        session_line_answered(renewal->at[i].set);
    free(renewal);
    session_line_pump_soon(all);
    session_line_check_drained(all);
}

/* What cannot be sent ends as when the link was lost: its leases are renewed in the next round. */
void session_renewal_send(struct sessions *all)
{
    struct session_renewal *renewal = gathering.renewal;

    gathering.renewal = NULL;
    if (renewal == NULL)
        return;
    all->in_flight += renewal->len;
    if (redis_link_command(all->config.commands, on_reply, renewal, FIRST_WORDS + 2 * renewal->len,
                           gathering.words) != 0)
        on_reply(renewal, NULL);
}

static bool begin(struct sessions *all)
{
    if (gathering.renewal != NULL)
        return true;
    gathering.renewal = malloc(sizeof(*gathering.renewal));
    if (gathering.renewal == NULL)
        return false;
    gathering.renewal->all = all;
    gathering.renewal->len = 0;
    gathering.keys_len = 0;
    gathering.words[0] = NOTIFY_STR("NOTIFY.SESSION");
    gathering.words[1] = NOTIFY_STR("RENEW");
    gathering.words[2] = NOTIFY_STR("LEASE");
    gathering.words[3] = notify_str_z(all->texts.lease);
    return true;
}

static bool add(const struct session_place *place, struct notify_str key, bool of_holder)
{
    struct sessions *all = place->set->all;
    struct session_renewal *renewal;
    struct notify_str *words;
    size_t i;

    if (!begin(all))
        return false;
    renewal = gathering.renewal;
    i = renewal->len++;
    words = &gathering.words[FIRST_WORDS + 2 * i];
    words[0] = key;
    words[1] = session_connection_name(gathering.names[i], all->node, place->number);
    renewal->at[i] = (struct renewed){place->set, of_holder};
    place->set->in_flight++;
    if (renewal->len == PAIRS)
        session_renewal_send(all);
    return true;
}

bool session_renewal_add(const struct session_place *place)
{
    return add(place, session_set_key(place->set), false);
}

void session_renewal_add_holder(const struct session_place *place)
{
    struct sessions *all = place->set->all;
    struct key_buffer buffer;
    struct notify_str key =
        key_of(all->config.keys, KEY_SESSION_USERS, client_session(place->client), &buffer);

    if (gathering.renewal != NULL && gathering.keys_len + key.len > KEYS_BYTES)
        session_renewal_send(all);
    if (!begin(all))
        return;
    memcpy(gathering.keys + gathering.keys_len, key.ptr, key.len);
    key.ptr = gathering.keys + gathering.keys_len;
    gathering.keys_len += key.len;
    (void)add(place, key, true);
}
