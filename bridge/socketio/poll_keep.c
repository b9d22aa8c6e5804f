/* poll_keep -- which sessions over polling stay in this process between two GETs.
 *
 *     GIVING --given back--> KEPT --its next GET--> TAKING
 *                             |\--a GET that came elsewhere--> HELD
 *                             \--too long, wanted elsewhere: released--> GIVING --> over here */
#include "socketio/poll_private.h"

#include <string.h>

#include "base/counters.h"
#include "wire/engineio_packet.h"

#define POLLS_KEPT_MAX 16384 /* sessions that are kept between two GETs */
#define KEEP_MS 5000         /* and for how long */
#define RELEASE_MS 1000      /* that one that is given away waits for answers under way, at most */

static struct notify_str sid_of(const struct hash_node *node)
{
    return notify_str_z(((const struct poll *)node)->sid);
}

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_bytes(&table->key, sid_of(node));
}

int polls_keep_init(struct engineio *engine)
{
    return hash_table_init(&engine->kept, hash_of);
}

bool poll_may_keep(struct poll *poll)
{
    struct engineio *engine = poll->engine;

    if (poll_store_of(poll)->ops->finish == NULL || engine->drains || engine->ends ||
        poll->session->closing)
        return false;
    if (poll->is_kept)
        return true;
    if (engine->kept.count >= POLLS_KEPT_MAX) {
        counter_add(COUNTER_POLLS_KEPT, 1);
        return false;
    }
    hash_table_add(&engine->kept, &poll->node);
    poll->is_kept = true;
    return true;
}

void poll_keep_forget(struct poll *poll)
{
    if (poll->is_kept)
        hash_table_remove(&poll->engine->kept, &poll->node);
    poll->is_kept = false;
}

static size_t count_packets(struct notify_str packets)
{
    struct engineio_walk walk = engineio_walk(packets);
    struct notify_str packet;
    size_t count = 0;

    while (packets.len > 0 && engineio_next(&walk, &packet))
        count++;
    return count;
}

void poll_keep_cut(struct poll *poll, size_t said)
{
    struct parcel *out = &poll->out;
    size_t from = said < out->len ? said + 1 : out->len; /* with the separator */

    if (from > 0 && from < out->len)
        memmove(out->bytes, out->bytes + from, out->len - from);
    out->len -= from;
    poll->out_count = count_packets(parcel_text(out));
    poll->engine->config.handlers.on_kept(poll->session);
}

void poll_keep_take_back(struct poll *poll)
{
    struct parcel later = poll->out;

    if (poll->said == 0)
        return;
    poll->out = poll->answer;
    poll->answer = later; /* as memory */
    if (later.len > 0)
        parcel_append(&poll->out, NOTIFY_STR("\x1e"));
    parcel_append(&poll->out, parcel_text(&later));
    poll->out_count = count_packets(parcel_text(&poll->out));
    poll->answer.len = 0;
    parcel_append(&poll->answer, NOTIFY_STR("6")); /* if its own GET is still there */
}

void poll_stay(struct poll *poll)
{
    poll_answer_text(poll, parcel_text(&poll->answer));
    poll->state = POLL_KEPT;
    poll->keep_until_ms = poll_now_ms(poll) + KEEP_MS;
    poll->hold_until_ms = NEVER_MS;
    poll->remote = poll->pinged = poll->waited = false;
    poll->answer.len = 0;
    poll_plan(poll);
    if (poll->left)
        poll_end_closed(poll, CONN_CLOSE_ABNORMAL);
    else if (poll->engine->drains || poll->engine->ends)
        poll_release(poll);
}

void poll_release(struct poll *poll)
{
    if (!poll->released) {
        poll->released = true;
        poll->keep_until_ms = poll_now_ms(poll) + RELEASE_MS;
        poll_plan(poll);
    }
    if (poll->looking || (poll->holds > 0 && !poll->waited && !poll->closing))
        return; /* then */
    if (poll->closing)
        poll_end_closed(poll, CONN_CLOSE_ABNORMAL);
    else
        poll_give_back(poll, false);
}

/* One that waits for its next GET; NULL: there is none. */
static struct poll *find_by_sid(struct engineio *engine, struct notify_str sid)
{
    struct hash_node *node = hash_table_chain(&engine->kept, hash_bytes(&engine->kept.key, sid));

    while (node != NULL &&
           !(notify_str_eq(sid_of(node), sid) && ((struct poll *)node)->state == POLL_KEPT))
        node = node->next;
    return (struct poll *)node;
}

struct poll *poll_keep_find(struct poll *fresh)
{
    struct engineio *engine = fresh->engine;
    struct poll *kept = find_by_sid(engine, notify_str_z(fresh->sid));

    if (kept == NULL || kept->looking || kept->released)
        return NULL;
    if (engine->config.handlers.on_compare(session_seed(kept->session), fresh->seed))
        return kept;
    kept->waited = true;
    poll_release(kept);
    return NULL;
}
