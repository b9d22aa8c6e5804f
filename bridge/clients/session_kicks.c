/* session_kicks -- sessions that are ended: their places are given up, and their clients told.
 *
 * Redis tells of each session by itself, of thousands at once if all of a large set are ended. What
 * comes in one turn of the loop is looked for in one walk over the set's places: a walk for each
 * would hold up everybody for seconds. Where what clients follow is heard over other links, what
 * was published before may come a moment later, so that is waited for; whoever enters in that
 * moment is not meant. */
#include "clients/sessions_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/loop.h"
#include "clients/client.h"

struct kicked {
    struct hash_node node; /* first; of its name */
    STAILQ_ENTRY(kicked) link;
    uint64_t newest; /* number of a client that may be meant */
    size_t key_len, name_len;
    char text[]; /* of the set, which may go meanwhile, and of the session */
};

static struct notify_str key_of_kicked(const struct kicked *kicked)
{
    return notify_str_of(kicked->text, kicked->key_len);
}

static struct notify_str name_of_kicked(const struct kicked *kicked)
{
    return notify_str_of(kicked->text + kicked->key_len, kicked->name_len);
}

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_bytes(&table->key, name_of_kicked((const struct kicked *)node));
}

static void kick_all(void *ctx);

int session_kicks_init(struct sessions *all)
{
    STAILQ_INIT(&all->kicked);
    all->kick_timer = loop_timer_new(all->config.loop, kick_all, all);
    return all->kick_timer == NULL ? -ENOMEM : hash_table_init(&all->kicked_names, hash_of);
}

/* What it had in Redis is gone, so nothing is to be closed there, nor opened again. */
void session_place_kick(struct session_place *place)
{
    counter_add(COUNTER_KICKED, 1);
    if (place->state != PLACE_OPENING) /* its answer is on its way: what that opened is closed */
        session_place_set_state(place, PLACE_NONE);
    place->set->all->config.handlers->on_kicked(place->client);
}

static bool is_meant(const struct kicked *kicked, const struct session_place *place)
{
    return place->client->number <= kicked->newest &&
           notify_str_eq(name_of_kicked(kicked), session_place_name(place));
}

static bool is_kicked(const struct sessions *all, const struct session_place *place)
{
    const struct hash_table *names = &all->kicked_names;
    struct hash_node *n =
        hash_table_chain(names, hash_bytes(&names->key, session_place_name(place)));

    while (n != NULL && !is_meant((const struct kicked *)n, place))
        n = n->next;
    return n != NULL;
}

/* Whoever is of one of the names. */
static void kick_in(struct session_set *set)
{
    struct session_place *place, *next;

    for (place = TAILQ_FIRST(&set->places); place != NULL; place = next) {
        next = TAILQ_NEXT(place, link);
        if (place->client != NULL && place->state != PLACE_NONE && is_kicked(set->all, place))
            session_place_kick(place);
    }
}

static void take_off(struct sessions *all, struct kicked *kicked)
{
    STAILQ_REMOVE_HEAD(&all->kicked, link);
    hash_table_remove(&all->kicked_names, &kicked->node);
    free(kicked);
}

/* Those of the set that the first one is of, up to the first of another set. */
static void kick_next(struct sessions *all)
{
    const struct kicked *first = STAILQ_FIRST(&all->kicked);
    struct session_set *set = sessions_find_set(all, key_of_kicked(first));
    struct kicked *kicked;
    size_t count = 0;

    STAILQ_FOREACH(kicked, &all->kicked, link)
    {
        if (!notify_str_eq(key_of_kicked(kicked), key_of_kicked(first)))
            break;
        hash_table_add(&all->kicked_names, &kicked->node);
        count++;
    }
    if (set != NULL)
        kick_in(set);
    for (; count > 0; count--)
        take_off(all, STAILQ_FIRST(&all->kicked));
}

static void kick_all(void *ctx)
{
    struct sessions *all = ctx;

    while (!STAILQ_EMPTY(&all->kicked))
        kick_next(all);
}

static void kick_soon(struct sessions *all)
{
    if (all->config.kick_after_ms == 0)
        loop_defer(all->config.loop, kick_all, all);
    else
        loop_timer_set(all->kick_timer, all->config.kick_after_ms);
}

void session_kicks_add(struct session_set *set, struct notify_str session)
{
    struct sessions *all = set->all;
    struct kicked *kicked = malloc(sizeof(*kicked) + set->key_len + session.len);

    if (kicked == NULL) {
        session_set_open_again(set); /* then Redis says that it was kicked */
        return;
    }
    kicked->newest = all->newest;
    kicked->key_len = set->key_len;
    kicked->name_len = session.len;
    memcpy(kicked->text, set->key, set->key_len);
    if (session.len > 0)
        memcpy(kicked->text + set->key_len, session.ptr, session.len);
    if (STAILQ_EMPTY(&all->kicked))
        kick_soon(all);
    STAILQ_INSERT_TAIL(&all->kicked, kicked, link);
}

void session_kicks_release(struct sessions *all)
{
    struct kicked *kicked;

    loop_undefer(all->config.loop, kick_all, all);
    loop_timer_free(all->kick_timer);
    while ((kicked = STAILQ_FIRST(&all->kicked)) != NULL) {
        STAILQ_REMOVE_HEAD(&all->kicked, link);
        free(kicked);
    }
    hash_table_release(&all->kicked_names);
}
