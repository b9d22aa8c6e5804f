#include "clients/sessions.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/counters.h"
#include "base/loop.h"
#include "base/random_hex.h"
#include "base/small.h"
#include "clients/client.h"
#include "clients/session_journal.h"
#include "clients/session_legacy.h"
#include "clients/sessions_private.h"
#include "redis/ears.h"
#include "redis/keyspace.h"
#include "redis/redis_link.h"
#include "redis/subscription.h"

/* Of the wheel, in the time between two renewals. Each tick is a wake-up, and another one when
 * Redis answers: that is most of what sessions cost while nothing happens. With the usual lease it
 * lasts as long as one of the pings' wheel, so that both wake the bridge together. */
#define TICKS_PER_TOUCH 80
#define TICK_MIN_MS 5
#define TICK_MAX_MS 250

static_assert(SESSIONS_NODE_MAX == SESSION_JOURNAL_NODE_MAX, "our node goes into the journal");

struct notify_str session_set_key(const struct session_set *set)
{
    return notify_str_of(set->key, set->key_len);
}

struct notify_str session_place_name(const struct session_place *place)
{
    return place->set->kind == SESSIONS_OF_USER ? client_session(place->client)
                                                : client_user(place->client);
}

const char *session_place_node(const struct session_place *place)
{
    return place->node == NULL ? place->set->all->node : place->node;
}

/* The table of sets. */

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_bytes(&table->key, session_set_key((const struct session_set *)node));
}

struct session_set *sessions_find_set(struct sessions *all, struct notify_str key)
{
    struct hash_node *n = hash_table_chain(&all->sets, hash_bytes(&all->sets.key, key));

    for (; n != NULL; n = n->next) {
        struct session_set *set = (struct session_set *)n;
        if (notify_str_eq(session_set_key(set), key))
            return set;
    }
    return NULL;
}

/* Calls fn for each set; fn may free the one that it is given. */
static void for_each_set(struct sessions *all, void (*fn)(struct session_set *set))
{
    struct hash_node *node, *next;

    HASH_TABLE_FOREACH(node, next, &all->sets)
    {
        fn((struct session_set *)node);
    }
}

/* Their leases are not all renewed in the same second, even when all came in one. */
static uint64_t first_touch_after(struct sessions *all)
{
    return heartbeat_spread(++all->entered, all->config.lease_ms / SESSIONS_TOUCHES_PER_LEASE);
}

static struct session_set *set_new(struct sessions *all, enum session_set_kind kind,
                                   struct notify_str key)
{
    struct session_set *set = small_take(sizeof(*set) + key.len);
    uint64_t after_ms;

    if (set == NULL)
        return NULL;
    after_ms = first_touch_after(all);
    set->all = all;
    set->kind = (uint8_t)kind;
    set->key_len = (uint16_t)key.len;
    memcpy(set->key, key.ptr, key.len);
    TAILQ_INIT(&set->places);
    set->touch_ms = loop_now_ms(all->config.loop) + after_ms;
    heartbeat_set(all->wheel, &set->beat, after_ms);
    set->entry = session_journal_add(all->config.journal, key);
    hash_table_add(&all->sets, &set->node);
    return set;
}

static void stop_listening(struct session_set *set)
{
    if (set->sub != NULL)
        subscription_drop(set->all->subscriptions, set->sub);
    set->sub = NULL;
}

void session_set_free_if_idle(struct session_set *set)
{
    struct sessions *all = set->all;

    if (!TAILQ_EMPTY(&set->places))
        return;
    stop_listening(set);
    if (set->in_flight > 0)
        return;
    session_line_remove(set); /* which may not move for long, while Redis is away */
    hash_table_remove(&all->sets, &set->node);
    session_journal_remove(all->config.journal, set->entry);
    small_give(set, sizeof(*set) + set->key_len);
}

/* Somebody has to hear of what is said on its channel. Without that, for lack of room, kicks are
 * not heard and nothing is told to those who watch; at the next touch it is tried again. */
static void hear(struct session_set *set)
{
    struct sessions *all = set->all;

    if (set->sub != NULL) {
        subscription_retry(all->subscriptions, set->sub);
    } else if (subscription_leaving_count(all->subscriptions) >= SUBSCRIPTIONS_LEAVING_MAX) {
        counter_add(COUNTER_SUBSCRIPTIONS_LEAVING, 1);
    } else {
        set->sub = subscription_want(all->subscriptions, session_set_key(set), set);
    }
}

/* Places. */

static struct session_place *find_place(const struct client *client, struct notify_str key)
{
    struct session_place *place = client->places;

    while (place != NULL && !notify_str_eq(session_set_key(place->set), key))
        place = place->next;
    return place;
}

/* Where it stands in its set follows from its state; what is at the front is sent first. */
void session_place_set_state(struct session_place *place, enum place_state state)
{
    struct session_set *set = place->set;

    set->all->closing += (state == PLACE_CLOSING);
    set->all->closing -= (place->state == PLACE_CLOSING);
    place->state = (uint8_t)state;
    place->round = set->round;
    TAILQ_REMOVE(&set->places, place, link);
    if (state == PLACE_WANTED || state == PLACE_CLOSING) {
        TAILQ_INSERT_HEAD(&set->places, place, link);
        session_line_add(set);
    } else {
        TAILQ_INSERT_TAIL(&set->places, place, link);
    }
}

void session_set_open_again(struct session_set *set)
{
    struct session_place *place, *next;

    for (place = TAILQ_FIRST(&set->places); place != NULL; place = next) {
        next = TAILQ_NEXT(place, link);
        if (place->state != PLACE_OPEN)
            continue;
        place->again = true;
        session_place_set_state(place, PLACE_WANTED);
    }
}

void session_place_free(struct session_place *place)
{
    struct session_set *set = place->set;

    set->all->closing -= (place->state == PLACE_CLOSING);
    TAILQ_REMOVE(&set->places, place, link);
    session_journal_remove(set->all->config.journal, place->entry);
    free(place->node);
    small_give(place, sizeof(*place));
    session_set_free_if_idle(set);
}

/* The place of client in the set of this key, made if there is none. NULL: out of memory. */
static struct session_place *make_place(struct sessions *all, struct client *client,
                                        enum session_set_kind kind, struct notify_str key)
{
    struct session_place *place = find_place(client, key);
    struct session_set *set = sessions_find_set(all, key);

    if (place != NULL)
        return place;
    place = small_take(sizeof(*place));
    if (place == NULL)
        return NULL;
    if (set == NULL)
        set = set_new(all, kind, key);
    if (set == NULL) {
        small_give(place, sizeof(*place));
        return NULL;
    }
    place->set = set;
    place->client = client;
    place->number = client->number;
    if (client->number > all->newest)
        all->newest = client->number;
    session_return_name(place);
    place->round = set->round;
    place->next = client->places;
    client->places = place;
    TAILQ_INSERT_TAIL(&set->places, place, link);
    return place;
}

static void set_watches(struct session_place *place, bool watches)
{
    if (watches && !place->watches)
        place->set->watchers++;
    if (!watches && place->watches)
        place->set->watchers--;
    place->watches = place->is_to_learn = watches;
}

/* Redis may have it: it was open, or is to be opened again. */
static bool may_be_there(const struct session_place *place)
{
    return place->state == PLACE_OPEN || (place->state == PLACE_WANTED && place->again);
}

/* Its client has nothing to do with it any more. What Redis has, or is about to have, is taken
 * back; when there is no link, or far too much to take back, by the end of the lease. */
static void give_up(struct session_place *place)
{
    struct sessions *all = place->set->all;

    /* One that came back for a moment was named by the bridge that it was at. */
    place->holds |= place->is_named && place->again && place->state != PLACE_NONE;
    session_holder_close(place);
    place->client = NULL;
    set_watches(place, false);
    if (place->state == PLACE_OPENING)
        return; /* its answer comes first */
    if (!may_be_there(place) || !keyspace_has(all->config.commands, session_set_key(place->set))) {
        session_place_free(place);
    } else if (all->closing >= SESSIONS_CLOSING_MAX) {
        counter_add(COUNTER_SESSIONS_CLOSING, 1);
        session_place_free(place);
    } else {
        session_place_set_state(place, PLACE_CLOSING);
    }
}

static void unlink_place(struct client *client, struct session_place *place)
{
    struct session_place **at = &client->places;

    while (*at != place)
        at = &(*at)->next;
    *at = place->next;
}

static void leave(struct client *client, struct session_place *place)
{
    unlink_place(client, place);
    give_up(place);
}

int sessions_enter(struct sessions *all, struct client *client, enum session_set_kind kind,
                   struct notify_str key)
{
    struct session_place *place = make_place(all, client, kind, key);

    if (place == NULL)
        return -ENOMEM;
    if (kind == SESSIONS_OF_USER)
        hear(place->set); /* before OPEN goes out, or else a kick right behind it is not heard */
    if (place->state == PLACE_NONE && !all->draining)
        session_place_set_state(place, PLACE_WANTED);
    return 0;
}

void sessions_name_holder(struct client *client)
{
    struct session_place *place = client->places;

    while (place != NULL && place->set->kind != SESSIONS_OF_USER)
        place = place->next;
    if (place != NULL)
        place->is_named = true;
}

void sessions_leave(struct client *client, struct notify_str key)
{
    struct session_place *place = find_place(client, key);
    struct session_set *set;

    if (place == NULL)
        return;
    if (!place->watches) {
        leave(client, place);
        return;
    }
    /* Who goes on watching does so in another place: this one is Redis' business. */
    set = place->set;
    unlink_place(client, place);
    (void)sessions_watch(set->all, client, set->kind, key); /* no memory: it hears no more */
    give_up(place);
}

/* NULL: out of memory. */
static struct session_place *watch(struct sessions *all, struct client *client,
                                   enum session_set_kind kind, struct notify_str key)
{
    struct session_place *place = make_place(all, client, kind, key);

    if (place == NULL)
        return NULL;
    hear(place->set);
    set_watches(place, true);
    return place;
}

int sessions_watch(struct sessions *all, struct client *client, enum session_set_kind kind,
                   struct notify_str key)
{
    struct session_place *place = watch(all, client, kind, key);

    if (place == NULL)
        return -ENOMEM;
    place->set->tells = true;
    session_line_add(place->set);
    return 0;
}

int sessions_watch_again(struct sessions *all, struct client *client, enum session_set_kind kind,
                         struct notify_str key)
{
    struct session_place *place = watch(all, client, kind, key);

    if (place == NULL)
        return -ENOMEM;
    place->is_to_learn = false;
    return 0;
}

void sessions_unwatch(struct client *client, struct notify_str key)
{
    struct session_place *place = find_place(client, key);

    if (place == NULL)
        return;
    set_watches(place, false);
    if (place->state == PLACE_NONE)
        leave(client, place);
}

size_t sessions_count_of(const struct client *client)
{
    size_t count = 0;

    for (const struct session_place *place = client->places; place != NULL; place = place->next)
        count++;
    return count;
}

void sessions_forget(struct client *client)
{
    while (client->places != NULL)
        leave(client, client->places);
    session_return_forget(client);
}

static void park(struct client *client, struct session_place *place)
{
    unlink_place(client, place);
    set_watches(place, false);
    place->client = NULL;
    place->stays = true;
    if (place->state != PLACE_OPENING) /* its answer comes first */
        session_place_free(place);
}

void sessions_park(struct client *client)
{
    while (client->places != NULL)
        park(client, client->places);
    session_return_forget(client);
}

/* The links. */

void session_set_learn(struct session_set *set)
{
    struct session_place *place;

    TAILQ_FOREACH(place, &set->places, link)
    {
        place->is_to_learn = place->watches;
        set->tells |= place->watches;
    }
}

static void on_held(void *owner)
{
    struct session_set *set = owner;

    session_set_learn(set); /* messages may have been missed */
    session_line_add(set);
}

static void on_lost(void *owner)
{
    (void)owner; /* on_held will come */
}

static void on_refused(void *owner)
{
    session_line_add(owner); /* nothing will be heard: it need not be waited for */
}

static void on_message(void *owner, struct notify_str payload)
{
    presence_on_message(owner, payload);
}

static const struct subscription_handlers subscription_handlers = {
    .on_held = on_held,
    .on_lost = on_lost,
    .on_refused = on_refused,
    .on_message = on_message,
};

static void on_subscriber_up(void *ctx, struct redis_link *link)
{
    struct sessions *all = ctx;

    subscription_set_up(all->subscriptions, link);
}

static void on_subscriber_down(void *ctx)
{
    struct sessions *all = ctx;

    subscription_set_down(all->subscriptions);
}

static void on_push(void *ctx, const struct resp *push)
{
    struct sessions *all = ctx;

    subscription_set_push(all->subscriptions, push);
}

const struct redis_link_handlers sessions_subscriber_handlers = {
    .on_up = on_subscriber_up, .on_down = on_subscriber_down, .on_push = on_push};

/* Nobody knows how long nothing was renewed. */
static void touch_now(struct session_set *set)
{
    session_line_begin_round(set);
    session_line_add(set);
}

static void on_commands_up(void *ctx, struct keyspace *keys, const struct keyspace_part *part)
{
    struct sessions *all = ctx;
    struct hash_node *node, *next;

    (void)keys; /* they were given before */
    all->knows_again = all->knows_renew = true;
    session_legacy_go_on(all->legacy);
    HASH_TABLE_FOREACH(node, next, &all->sets)
    {
        struct session_set *set = (struct session_set *)node;
        if (keyspace_part_has(part, session_set_key(set)))
            touch_now(set);
    }
}

/* What was to be closed is forgotten by Redis. */
static void forget_closing(struct session_set *set)
{
    struct session_place *place, *next;

    set->in_flight++; /* it stays until the end of this */
    for (place = TAILQ_FIRST(&set->places); place != NULL; place = next) {
        next = TAILQ_NEXT(place, link);
        if (place->state == PLACE_CLOSING)
            session_place_free(place);
    }
    set->in_flight--;
    session_set_free_if_idle(set);
}

static void on_commands_down(void *ctx, struct keyspace *keys, const struct keyspace_part *part)
{
    struct sessions *all = ctx;
    struct hash_node *node, *next;

    HASH_TABLE_FOREACH(node, next, &all->sets)
    {
        struct session_set *set = (struct session_set *)node;
        if (keyspace_part_has(part, session_set_key(set)))
            forget_closing(set);
    }
    (void)keys; /* they were given before */
    session_holders_forget_ended(all, part);
    session_line_check_drained(all);
}

const struct keyspace_handlers sessions_commands_handlers = {.on_up = on_commands_up,
                                                             .on_down = on_commands_down};

/* Life. */

static void on_beat(struct heartbeat_node *node)
{
    struct session_set *set = (void *)((char *)node - offsetof(struct session_set, beat));

    if (set->sub == NULL && (set->kind == SESSIONS_OF_USER || set->tells))
        hear(set);
    session_line_add(set);
}

static uint64_t tick_for(uint64_t lease_ms)
{
    uint64_t tick = lease_ms / SESSIONS_TOUCHES_PER_LEASE / TICKS_PER_TOUCH;

    return tick < TICK_MIN_MS ? TICK_MIN_MS : tick > TICK_MAX_MS ? TICK_MAX_MS : tick;
}

struct sessions *sessions_new(const struct sessions_config *config)
{
    struct sessions *all = calloc(1, sizeof(*all));

    if (all == NULL)
        return NULL;
    all->config = *config;
    all->lane_count = keyspace_is_split(config->commands) ? KEYSPACE_LANES_MAX : 1;
    for (size_t i = 0; i < all->lane_count; i++) {
        TAILQ_INIT(&all->lanes[i].due);
        TAILQ_INIT(&all->lanes[i].ended);
    }
    random_hex(all->node, (SESSIONS_NODE_MAX - 1) / 2);
    if (config->journal != NULL) {
        all->legacy = session_legacy_new(config->commands, config->journal);
        session_journal_begin(config->journal, all->node);
    }
    (void)number_text(all->texts.lease, (int64_t)config->lease_ms);
    (void)number_text(all->texts.per_session, config->connections_per_session);
    (void)number_text(all->texts.per_user, config->sessions_per_user);
    all->subscriptions = config->ears != NULL
                             ? ears_new_set(config->ears, &subscription_handlers)
                             : subscription_set_new(config->loop, &subscription_handlers);
    all->wheel =
        heartbeat_new(config->loop, tick_for(config->lease_ms), HEARTBEAT_AT_ONCE, on_beat);
    if (hash_table_init(&all->sets, hash_of) == 0 && session_kicks_init(all) == 0 &&
        all->subscriptions != NULL && all->wheel != NULL)
        return all;
    sessions_free(all);
    return NULL;
}

void sessions_free(struct sessions *all)
{
    struct session_set *set;

    if (all == NULL)
        return;
    session_line_stop(all);
    session_kicks_release(all);
    for (size_t i = 0; i < all->lane_count; i++)
        while ((set = TAILQ_FIRST(&all->lanes[i].due)) != NULL)
            session_line_remove(set);
    if (all->sets.buckets != NULL)
        for_each_set(all, forget_closing);
    session_holders_forget_ended(all, NULL);
    assert(all->sets.count == 0 && all->in_flight == 0);
    subscription_set_free(all->subscriptions);
    session_legacy_free(all->legacy);
    heartbeat_free(all->wheel);
    hash_table_release(&all->sets);
    free(all);
}

/* Is there one that others go on with, or will? */
static bool has_parked(const struct session_set *set)
{
    const struct session_place *place;

    TAILQ_FOREACH(place, &set->places, link)
    {
        if (place->stays || (place->client != NULL && place->client->parts))
            return true;
    }
    return false;
}

/* Those beside one that stays are closed one by one, as their clients go. */
static void drop(struct session_set *set)
{
    if (has_parked(set))
        return;
    set->dropping = true;
    session_line_add(set);
}

void sessions_drain(struct sessions *all, void (*fn)(void *ctx), void *ctx)
{
    all->draining = true;
    all->on_drained = fn;
    all->ctx = ctx;
    for_each_set(all, drop);
    session_line_check_drained(all);
}

size_t sessions_set_count(const struct sessions *all)
{
    return all->sets.count;
}

const char *sessions_node(const struct sessions *all)
{
    return all->node;
}
