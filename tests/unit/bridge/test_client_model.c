/* All of the bridge between Redis' replies and the sockets -- links, subscriptions, reads,
 * channels, clients, requests -- under random events, seen from the clients.
 *
 * The model plays Redis at one end (two links, boxes, subscriptions, NOTIFY.SINCE) and slow sockets
 * at the other. Each connection checks what docs/protocol.md promises: per key every entry once, in
 * order, none left out, whatever was lost, late or in the way.
 *
 * NOTIFY_CLIENT_SCENARIOS sets how many scenarios run; NOTIFY_CLIENT_SEED runs a single one and
 * prints what happens in it. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/counters.h"
#include "clients/ask.h"
#include "channels/channel.h"
#include "clients/admission.h"
#include "clients/arrival.h"
#include "clients/arrival_request.h"
#include "clients/categories.h"
#include "clients/client.h"
#include "clients/following.h"
#include "conn_testing.h"
#include "channels/follow.h"
#include "filter_testing.h"
#include "base/hash.h"
#include "identity/authority.h"
#include "identity/key_names.h"
#include "link_testing.h"
#include "notify_wire.h"
#include "base/log.h"
#include "loop_testing.h"
#include "random_testing.h"
#include "requests/responder_ws.h"
#include "channels/router.h"
#include "redis/turns.h"

#define KEYS 5
#define CONTROL KEYS /* stands behind them: what concerns all of them is said there */
#define PEERS 4
#define ENTRIES_MAX 400
#define PIPE_MAX 4096
#define REPLIES_MAX 256
#define DEFAULT_SCENARIOS 3000
#define SETTLE_ROUNDS 3000
#define FILTERS 2

static const char *const key_texts[KEYS + 1] = {"inbox:u0", "inbox:u1", "topic:all",
                                                "topic:t0", "topic:t1", NOTIFY_CONTROL_CHANNEL};

struct box {
    struct notify_id entries[ENTRIES_MAX];
    size_t len;
    struct notify_id last;
    uint32_t epoch;  /* 0: it has none */
    size_t begun_by; /* the entry that begins it: so much it says */
    bool subscribed; /* by the link that is up */
};

enum push_kind { PUSH_ENTRY, PUSH_SUBSCRIBE, PUSH_UNSUBSCRIBE, PUSH_FENCE, PUSH_FLUSHED };

struct push {
    enum push_kind kind;
    int key;
    size_t entry;
    struct link_testing_command *command; /* of PUSH_FENCE, which is no push: what it ends */
};

/* A reply on its way. Owns all its nodes. */
struct reply {
    struct link_testing_command *command;
    struct resp *root;
};

/* What one connection has been promised for one key. */
struct promise {
    bool followed;
    uint64_t request; /* the subscribe that it comes from; 0: the greeting tells, or a resume */
    bool start_known; /* everything after start is promised */
    struct notify_id start;
    struct notify_id seen; /* the last entry that came */
    bool had[ENTRIES_MAX];
};

struct peer {
    struct conn conn;
    struct client *client; /* NULL: not connected */
    int user;
    bool greeted;
    int filter; /* which one of filters; -1: none */
    struct promise promises[KEYS];
    uint64_t asked, answered; /* requests */
};

static struct box boxes[KEYS + 1];
static struct push pipe_items[PIPE_MAX];
static size_t pipe_len;
static struct reply replies[REPLIES_MAX];
static size_t reply_count;
static struct redis_link subscriber, commands;
static struct turns *turns;
static struct router *router;
static struct followings *followings;
static struct authority *authority;
static struct admissions admissions;
static struct category_filters category_filters;
static struct client_shared shared;
static struct peer peers[PEERS];
static struct key_names names = {{"inbox:%s", "topic:%s", "session:%s"}};
static uint64_t seed, clock_ms;
static size_t answer_max;
/* Each passes one of three categories, those of an entry's time. */
static struct filter_testing filters[FILTERS];
static char last_resumed[512];
static uint32_t epoch_told; /* by the last entry that came; 0: it told none */

#define CHECK(condition, what)                                                                     \
    cr_assert(condition, "scenario %" PRIu64 ": %s (%s)", seed, what, #condition)

/* Not random: a scenario must be the same each time. */

struct hash_key hash_key_new(void)
{
    return (struct hash_key){0, 0};
}

uint64_t hash_bytes(const struct hash_key *key, struct notify_str bytes)
{
    uint64_t hash = key->k0;

    for (size_t i = 0; i < bytes.len; i++)
        hash = hash * 31 + (unsigned char)bytes.ptr[i];
    return hash;
}

/* Redis. */

static int key_of_text(struct notify_str text)
{
    for (int k = 0; k <= CONTROL; k++)
        if (notify_str_eq(text, notify_str_z(key_texts[k])))
            return k;
    return CONTROL + 1;
}

static void pipe_push(enum push_kind kind, int key, size_t entry)
{
    CHECK(pipe_len < PIPE_MAX, "the model's pipe is large enough");
    pipe_items[pipe_len++] = (struct push){.kind = kind, .key = key, .entry = entry};
}

static void publish(int key)
{
    struct box *box = &boxes[key];

    if (box->len == ENTRIES_MAX)
        return;
    box->last = (struct notify_id){clock_ms++, below(2)};
    box->entries[box->len] = box->last;
    trace("redis: send %s %" PRIu64, key_texts[key], box->last.ms);
    if (box->subscribed)
        pipe_push(PUSH_ENTRY, key, box->len);
    box->len++;
}

static size_t write_entry(char *text, size_t cap, int key, size_t i)
{
    const struct notify_id none = {0, 0};
    struct notify_id id = boxes[key].entries[i], prev = i == 0 ? none : boxes[key].entries[i - 1];
    char begins[40] = "";

    if (boxes[key].epoch != 0 && boxes[key].begun_by == i)
        (void)snprintf(begins, sizeof(begins), "\"epoch\":%" PRIu32 ",", boxes[key].epoch);
    return (size_t)snprintf(
        text, cap,
        "{\"type\":\"notification\",\"key\":\"%s\",\"id\":\"%" PRIu64 "-%" PRIu64
        "\",\"prev\":\"%" PRIu64 "-%" PRIu64
        "\",%s\"rev\":%zu,\"unread\":1,\"category\":\"c%d\",\"data\":{\"title\":"
        "\"t\",\"x\":\"%.*s\"}}",
        key_texts[key], id.ms, id.seq, prev.ms, prev.seq, begins, i + 1, (int)(id.ms % 3),
        (int)(id.ms % 150),
        "----------------------------------------------------------------------"
        "----------------------------------------------------------------------"
        "----------");
}

static struct resp *node_new(enum resp_kind kind, size_t len, const char *text, size_t text_len)
{
    struct resp *node = calloc(1, sizeof(*node) + (len + 1) * sizeof(struct resp *) + text_len + 1);

    cr_assert_not_null(node);
    node->kind = kind;
    node->len = len;
    node->items = (struct resp **)(node + 1);
    if (text != NULL)
        node->str =
            notify_str_of(memcpy((char *)(node->items + len + 1), text, text_len), text_len);
    return node;
}

static void node_free(struct resp *node)
{
    for (size_t i = 0; i < node->len; i++)
        node_free(node->items[i]);
    free(node);
}

static struct resp *text_node(const char *z)
{
    return node_new(RESP_STRING, 0, z, strlen(z));
}

static struct resp *entries_node(int key, const struct notify_id *from, bool *ret_more)
{
    struct resp *node = node_new(RESP_ARRAY, answer_max, NULL, 0);
    char text[512];

    node->len = 0;
    *ret_more = false;
    for (size_t i = 0; from != NULL && i < boxes[key].len; i++) {
        if (notify_id_cmp(boxes[key].entries[i], *from) <= 0)
            continue;
        if (node->len == answer_max) {
            *ret_more = true;
            break;
        }
        node->items[node->len++] =
            node_new(RESP_STRING, 0, text, write_entry(text, sizeof(text), key, i));
    }
    return node;
}

static struct resp *map_node(int key, const struct notify_id *from)
{
    struct resp *node = node_new(RESP_MAP, 12, NULL, 0);
    char last[NOTIFY_ID_TEXT_MAX + 1];
    bool more;

    notify_id_format(last, boxes[key].last);
    node->items[0] = text_node("key");
    node->items[1] = text_node(key_texts[key]);
    node->items[2] = text_node("last");
    node->items[3] = text_node(last);
    node->items[4] = text_node("entries");
    node->items[5] = entries_node(key, from, &more);
    node->items[6] = text_node("more");
    node->items[7] = node_new(RESP_INTEGER, 0, NULL, 0);
    node->items[7]->integer = more;
    node->items[8] = text_node("rev");
    node->items[9] = node_new(RESP_INTEGER, 0, NULL, 0);
    node->items[9]->integer = (int64_t)boxes[key].len;
    node->items[10] = text_node("epoch");
    node->items[11] = node_new(RESP_INTEGER, 0, NULL, 0);
    node->items[11]->integer = boxes[key].epoch;
    return node;
}

/* The id of a position "id@rev"; these boxes keep no revisions. */
static struct notify_str id_part(struct notify_str position)
{
    const char *at = memchr(position.ptr, '@', position.len);

    return at == NULL ? position : notify_str_of(position.ptr, (size_t)(at - position.ptr));
}

/* NOTIFY.SINCE key id[@rev] … COUNT n */
static struct resp *since(const struct link_testing_command *command)
{
    struct resp *root = node_new(RESP_ARRAY, command->argc, NULL, 0);

    root->len = 0;
    for (size_t i = 1; i + 2 < command->argc; i += 2) {
        bool now = notify_str_eq(command->argv[i + 1], NOTIFY_STR("$"));
        int key = key_of_text(command->argv[i]);
        struct notify_id from = {0, 0};
        CHECK(key < KEYS, "a known key");
        CHECK(now || notify_id_parse(id_part(command->argv[i + 1]), 0, &from), "an id");
        if (now || notify_id_cmp(from, boxes[key].last) != 0)
            root->items[root->len++] = map_node(key, now ? NULL : &from);
    }
    return root;
}

/* NOTIFY.REVRANGE key high low COUNT n JSON */
static struct resp *revrange(const struct link_testing_command *command)
{
    size_t max = strtoul(command->argv[5].ptr, NULL, 10);
    struct resp *root = node_new(RESP_ARRAY, max, NULL, 0);
    int key = key_of_text(command->argv[1]);
    struct notify_id high = {UINT64_MAX, UINT64_MAX};
    struct notify_str bound = command->argv[2];
    char text[512];

    CHECK(key < KEYS, "a known key");
    if (bound.ptr[0] == '(')
        (void)notify_id_parse(notify_str_of(bound.ptr + 1, bound.len - 1), 0, &high);
    root->len = 0;
    for (size_t i = boxes[key].len; i-- > 0 && root->len < max;)
        if (notify_id_cmp(boxes[key].entries[i], high) < 0)
            root->items[root->len++] =
                node_new(RESP_STRING, 0, text, write_entry(text, sizeof(text), key, i));
    return root;
}

static struct resp *unread(const struct link_testing_command *command)
{
    (void)command;
    return node_new(RESP_INTEGER, 0, NULL, 0);
}

/* What Redis may say of FOLLOW: nobody is to be held up by it. */
static struct resp *follow_reply(const struct link_testing_command *command)
{
    static const char *const errors[] = {"OOM it", "NOPERM it", "WRONGTYPE it", "READONLY it"};
    const char *error = errors[below(4)];

    (void)command;
    return chance(10) ? node_new(RESP_ERROR, 0, error, strlen(error))
                      : node_new(RESP_INTEGER, 0, NULL, 0);
}

static void work_off_command(void)
{
    static const struct {
        struct notify_str name;
        struct resp *(*answer)(const struct link_testing_command *command);
    } known[] = {{{"NOTIFY.SINCE", 12}, since},
                 {{"NOTIFY.REVRANGE", 15}, revrange},
                 {{"NOTIFY.UNREAD", 13}, unread},
                 {{"NOTIFY.FOLLOW", 13}, follow_reply}};
    struct link_testing_command *command;

    if (reply_count == REPLIES_MAX || (command = link_testing_take(&commands)) == NULL)
        return;
    trace("redis: works off %s", command->argv[0].ptr);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (notify_str_eq(command->argv[0], known[i].name)) {
            replies[reply_count++] = (struct reply){command, known[i].answer(command)};
            return;
        }
    CHECK(false, "a known command");
}

static struct resp *loading_node(void)
{
    struct resp *node = node_new(RESP_ERROR, 0, "LOADING it", 10);

    return node;
}

static void deliver_reply(void)
{
    struct reply first = replies[0];
    struct resp *root;

    if (reply_count == 0)
        return;
    memmove(replies, replies + 1, --reply_count * sizeof(first));
    root = first.root;
    if (chance(2)) {
        node_free(root);
        root = loading_node();
    }
    trace("a read is answered");
    link_testing_answer(first.command, root);
    node_free(root);
    router_batch_end(router);
}

static void work_off_subscribe(void)
{
    struct link_testing_command *command = link_testing_take(&subscriber);

    if (command == NULL)
        return;
    bool on = notify_str_eq(command->argv[0], NOTIFY_STR("SUBSCRIBE"));
    for (size_t i = 1; i < command->argc; i++) {
        int key = key_of_text(command->argv[i]);
        trace("redis: %s %s", on ? "subscribe" : "unsubscribe", key_texts[key]);
        boxes[key].subscribed = on;
        pipe_push(on ? PUSH_SUBSCRIBE : PUSH_UNSUBSCRIBE, key, 0);
    }
    pipe_push(PUSH_FENCE, 0, 0);
    pipe_items[pipe_len - 1].command = command;
}

static void receive_one(void)
{
    static const char *const kinds[] = {"message", "subscribe", "unsubscribe", NULL, "message"};
    struct push first = pipe_items[0];
    struct resp kind = {.kind = RESP_STRING}, channel = kind, third = {.kind = RESP_INTEGER};
    struct resp *items[] = {&kind, &channel, &third};
    struct resp push = {.kind = RESP_PUSH, .len = 3, .items = items};
    char text[512];

    memmove(pipe_items, pipe_items + 1, --pipe_len * sizeof(first));
    if (first.kind == PUSH_FENCE) {
        link_testing_fence(first.command);
        return;
    }
    kind.str = notify_str_z(kinds[first.kind]);
    channel.str = notify_str_z(key_texts[first.key]);
    if (first.kind == PUSH_ENTRY) {
        third.kind = RESP_STRING;
        third.str = notify_str_of(text, write_entry(text, sizeof(text), first.key, first.entry));
    } else if (first.kind == PUSH_FLUSHED) {
        third.kind = RESP_STRING;
        third.str = NOTIFY_STR("{\"type\":\"flushed\",\"key\":\"" NOTIFY_CONTROL_CHANNEL
                               "\",\"database\":0}");
    }
    trace("push: %s %s %.90s", kinds[first.kind], key_texts[first.key],
          first.kind == PUSH_ENTRY ? text : "");
    router_push(router, &push);
}

/* Other keys than ours were flushed, as of another node: nothing may come of it. */
static void flush(void)
{
    trace("redis: flushed");
    if (boxes[CONTROL].subscribed)
        pipe_push(PUSH_FLUSHED, CONTROL, 0);
}

/* What one read from the socket brings. */
static void receive_some(void)
{
    for (uint64_t n = 1 + below(6); n > 0 && pipe_len > 0; n--)
        receive_one();
    router_batch_end(router);
}

/* The links. */

static void subscriber_up(void)
{
    if (subscriber.up)
        return;
    trace("subscriber up");
    subscriber.up = true;
    router_subscriber_up(router, &subscriber);
}

static void drop_pipe(void)
{
    for (size_t i = 0; i < pipe_len; i++)
        if (pipe_items[i].kind == PUSH_FENCE)
            link_testing_answer(pipe_items[i].command, NULL);
    pipe_len = 0;
}

static void subscriber_down(void)
{
    if (!subscriber.up)
        return;
    trace("subscriber down");
    link_testing_go_down(&subscriber);
    drop_pipe();
    for (int k = 0; k <= CONTROL; k++)
        boxes[k].subscribed = false;
    router_subscriber_down(router);
}

static void commands_up(void)
{
    if (commands.up)
        return;
    trace("commands up");
    commands.up = true;
    router_reader_up(router, &commands.keys, &link_testing_everything);
    followings_commands_handlers.on_up(followings, &commands.keys, &link_testing_everything);
}

static void commands_down(void)
{
    if (!commands.up)
        return;
    trace("commands down");
    commands.up = false;
    while (reply_count > 0) {
        struct reply first = replies[0];
        memmove(replies, replies + 1, --reply_count * sizeof(first));
        link_testing_answer(first.command, NULL);
        node_free(first.root);
    }
    link_testing_go_down(&commands);
    router_reader_down(router, &commands.keys, &link_testing_everything);
}

/* What connections get. */

static void promise_anew(struct promise *promise, const struct notify_id *from)
{
    *promise = (struct promise){.followed = true, .start_known = from != NULL};
    if (from != NULL)
        promise->start = promise->seen = *from;
}

/* From here on the client has been told that it follows. */
static void promise_from(struct promise *promise, struct notify_id start)
{
    if (promise->start_known)
        return;
    promise->start_known = true;
    promise->start = start;
}

static struct notify_str member_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    struct notify_str value = {NULL, 0};

    if (at == NULL)
        return value;
    value.ptr = at + strlen(name);
    value.len = strcspn(value.ptr, "\"");
    return value;
}

/* 0: there is none. */
static uint32_t number_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at == NULL ? 0 : (uint32_t)strtoul(at + strlen(name), NULL, 10);
}

/* Of an inbox everything, of a log what the filter passes. */
static bool is_for(const struct peer *peer, int key, struct notify_id id)
{
    return key < 2 || peer->filter < 0 || (int)(id.ms % 3) == peer->filter;
}

/* All that clients were sent of boxes, to be compared with what was counted. */
static uint64_t entries_got, delivered_before;

static void get_entry(struct peer *peer, const char *text)
{
    int key = key_of_text(member_of(text, "\"key\":\""));
    struct promise *promise;
    struct notify_id id;
    size_t i = 0;

    entries_got++;
    CHECK(peer->greeted, "nothing comes before the greeting");
    CHECK(key < KEYS, "entries have a key");
    CHECK(notify_id_parse(member_of(text, "\"id\":\""), 0, &id), "entries have an id");
    epoch_told = number_of(text, "\"epoch\":");
    promise = &peer->promises[key];
    CHECK(promise->followed, "nothing comes of a key that is not followed");
    CHECK(is_for(peer, key, id), "nothing comes that the filter holds back");
    CHECK(notify_id_cmp(id, promise->seen) > 0, "entries come in order, each once");
    promise->seen = id;
    while (i < boxes[key].len && notify_id_cmp(boxes[key].entries[i], id) != 0)
        i++;
    CHECK(i < boxes[key].len, "entries are those of the box");
    promise->had[i] = true;
}

static void get_subscription(struct peer *peer, const char *text)
{
    struct notify_str topic = member_of(text, "\"topic\":\"");
    struct key_buffer buffer;
    int key = key_of_text(key_of(&names, KEY_TOPIC, topic, &buffer));
    struct notify_id last;

    peer->answered++;
    CHECK(key < KEYS, "the answer names the topic");
    if (strtoull(strstr(text, "\"request_id\":") + 13, NULL, 10) != peer->promises[key].request)
        return; /* something else has been asked for meanwhile */
    CHECK(notify_id_parse(member_of(text, "\"last\":\""), 0, &last), "the answer has a position");
    CHECK(notify_id_cmp(last, peer->promises[key].seen) >= 0, "which is not behind what came");
    promise_from(&peer->promises[key], last);
}

static void get_greeting(struct peer *peer)
{
    CHECK(!peer->greeted, "there is one greeting");
    peer->greeted = true;
    for (int k = 0; k < KEYS; k++)
        if (peer->promises[k].followed && peer->promises[k].request == 0)
            promise_from(&peer->promises[k], boxes[k].last);
}

static void get(struct conn *conn)
{
    struct peer *peer = (struct peer *)conn; /* its first member */
    char *text;

    while ((text = conn_testing_take(conn)) != NULL) {
        trace("  peer %d gets %.150s", (int)(peer - peers), text);
        if (strncmp(text, "{\"type\":\"notification_history\"", 30) == 0)
            peer->answered++; /* it holds notifications */
        else if (strstr(text, "\"type\":\"notification\"") != NULL)
            get_entry(peer, text);
        else if (strstr(text, "\"type\":\"connection\"") != NULL)
            get_greeting(peer);
        else if (strstr(text, "\"type\":\"subscription\"") != NULL)
            get_subscription(peer, text);
        else if (strstr(text, "\"type\":\"resumed\"") == NULL &&
                 strstr(text, "\"code\":\"UNAVAILABLE\"") == NULL)
            cr_assert_fail("scenario %" PRIu64 ": unexpected %s", seed, text);
        else if (strstr(text, "\"request_id\"") != NULL)
            peer->answered++;
        if (strncmp(text, "{\"type\":\"resumed\"", 17) == 0)
            (void)snprintf(last_resumed, sizeof(last_resumed), "%s", text);
        free(text);
    }
    conn->next_is_busy = chance(20);
    conn->unsent = below(2000);
}

/* What clients do. */

static struct notify_id any_position(int key)
{
    const struct box *box = &boxes[key];

    if (box->len == 0 || chance(10))
        return (struct notify_id){0, 0};
    return chance(50) ? box->last : box->entries[below(box->len)];
}

static uint64_t linger_hits(void)
{
    return counter_values[COUNTER_LINGER_CHANNELS] + counter_values[COUNTER_LINGER_PER_CLIENT];
}

/* From now on. What was published before may come still, if it passes. */
static void set_filter(struct peer *peer)
{
    peer->filter = (int)below(FILTERS + 1) - 1;
    trace("peer %d gets filter %d", (int)(peer - peers), peer->filter);
    client_set_filter(peer->client, peer->filter < 0 ? NULL : &filters[peer->filter].filter);
    for (int k = 2; k < KEYS; k++)
        if (notify_id_cmp(peer->promises[k].start, boxes[k].last) < 0)
            peer->promises[k].start = boxes[k].last;
}

static void connect_peer(struct peer *peer)
{
    char query[128], path[16];
    struct http_request req = {.addr = NOTIFY_STR("test")};
    struct notify_id from;
    bool resumes = chance(50), topics = chance(50);
    int len;

    *peer = (struct peer){.user = (int)below(2), .filter = -1, .conn = {.on_write = get}};
    from = any_position(peer->user);
    promise_anew(&peer->promises[peer->user], resumes ? &from : NULL);
    promise_anew(&peer->promises[2], NULL);
    if (topics)
        promise_anew(&peer->promises[3], NULL);
    len = snprintf(query, sizeof(query), "user=u%d%s", peer->user,
                   topics ? "&topics=t0,all,,t0" : "");
    if (resumes)
        (void)snprintf(query + len, sizeof(query) - (size_t)len,
                       "&last_event_id=%" PRIu64 "-%" PRIu64, from.ms, from.seq);
    (void)snprintf(path, sizeof(path), "/ws/p%d", (int)(peer - peers));
    req.path = notify_str_z(path);
    req.query = notify_str_z(query);
    trace("peer %d connects: %s", (int)(peer - peers), query);
    arrival_open(&shared, &peer->conn, &req);
    peer->client = peer->conn.peer;
    if (peer->conn.close_code != 0) { /* too many channels that cannot go yet */
        CHECK(linger_hits() > 0, "such a client is let in");
        CHECK(peer->conn.close_code == CONN_CLOSE_TRY_AGAIN, "it is told to come again");
        client_on_closed(peer->client, 1011);
        peer->client = NULL;
        conn_testing_release(&peer->conn);
    } else if (chance(50)) {
        set_filter(peer);
    }
}

static void disconnect_peer(struct peer *peer)
{
    struct client *client = peer->client;

    trace("peer %d disconnects", (int)(peer - peers));
    peer->client = NULL;
    client_on_closed(client, 1006);
    conn_testing_release(&peer->conn);
}

static void drain_peer(struct peer *peer)
{
    if (!peer->conn.busy)
        return;
    trace("peer %d drains", (int)(peer - peers));
    peer->conn.busy = false;
    client_on_drained(peer->client);
}

static void send_request(struct peer *peer, const char *text)
{
    uint64_t hits = linger_hits();

    trace("peer %d asks %s", (int)(peer - peers), text);
    peer->asked++;
    responder_ws_message(peer->client, notify_str_z(text));
    for (int k = 0; k < KEYS && linger_hits() > hits; k++) /* perhaps it was refused */
        if (client_find_follow(peer->client, notify_str_z(key_texts[k])) == NULL)
            peer->promises[k].followed = false;
}

static void subscribe_topic(struct peer *peer)
{
    int key = 2 + (int)below(3);
    struct promise *promise = &peer->promises[key];
    struct notify_id from = any_position(key);
    bool has_from = chance(50);
    char text[256], last[128] = "";

    if (has_from)
        (void)snprintf(last, sizeof(last), ",\"last_id\":\"%" PRIu64 "-%" PRIu64 "\"", from.ms,
                       from.seq);
    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"subscribe\",\"topic\":\"%s\"%s,\"request_id\":%" PRIu64 "}",
                   key_texts[key] + 6, last, peer->asked + 1);
    if (has_from || !promise->followed) {
        promise_anew(promise, has_from ? &from : NULL);
        promise->request = peer->asked + 1;
    }
    send_request(peer, text);
}

static void unsubscribe_topic(struct peer *peer)
{
    int key = 2 + (int)below(3);
    char text[128];

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"unsubscribe\",\"topic\":\"%s\",\"request_id\":%" PRIu64 "}",
                   key_texts[key] + 6, peer->asked + 1);
    peer->promises[key] = (struct promise){.followed = false};
    send_request(peer, text);
}

static void resume(struct peer *peer)
{
    char text[512] = "{\"type\":\"resume\",\"request_id\":7,\"positions\":{";
    size_t len = strlen(text), count = 0;

    for (int k = 0; k < KEYS; k++) {
        struct notify_id from = any_position(k);
        if ((k < 2 && k != peer->user) || chance(40))
            continue;
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s\"%s\":\"%" PRIu64 "-%" PRIu64 "\"",
                             count++ == 0 ? "" : ",", key_texts[k], from.ms, from.seq);
        promise_anew(&peer->promises[k], &from);
    }
    (void)snprintf(text + len, sizeof(text) - len, "}}");
    send_request(peer, text);
}

static void look_back(struct peer *peer)
{
    char text[128];

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"request_notification_history\",\"limit\":%" PRIu64
                   ",\"request_id\":8}",
                   1 + below(100));
    send_request(peer, text);
}

static void act(struct peer *peer)
{
    uint64_t dice = below(100);

    if (peer->client == NULL) {
        connect_peer(peer);
    } else if (peer->conn.close_code != 0 || dice < 8) {
        disconnect_peer(peer);
    } else if (dice < 53) {
        drain_peer(peer);
    } else if (dice < 55) {
        set_filter(peer);
    } else if (peer->conn.paused) {
        return; /* the transport hands nothing up then */
    } else if (dice < 70) {
        subscribe_topic(peer);
    } else if (dice < 80) {
        unsubscribe_topic(peer);
    } else if (dice < 85) {
        look_back(peer);
    } else {
        resume(peer);
    }
}

static void step(void)
{
    uint64_t dice = below(200);

    if (dice < 45)
        publish((int)below(KEYS));
    else if (dice < 85)
        receive_some();
    else if (dice < 110)
        act(&peers[below(PEERS)]);
    else if (dice < 130)
        loop_testing_run_deferred();
    else if (dice < 145)
        work_off_subscribe();
    else if (dice < 160)
        work_off_command();
    else if (dice < 178)
        deliver_reply();
    else if (dice < 184)
        loop_testing_advance(below(200));
    else if (dice < 190)
        subscriber_up();
    else if (dice < 196)
        commands_up();
    else if (dice < 197)
        flush();
    else if (dice < 198)
        subscriber_down();
    else
        commands_down();
}

/* The end. */

static bool peer_is_quiet(const struct peer *peer)
{
    const struct client *client = peer->client;

    for (const struct follow *f = client == NULL ? NULL : client->follows; f != NULL; f = f->next)
        if (f->state != FOLLOW_LIVE || f->channel->state != CHANNEL_LIVE)
            return false;
    return client == NULL ||
           (peer->greeted && client->sender.outbox.len == 0 && client->asks.first == NULL &&
            !heartbeat_is_set(&client->sender.stuck) && !peer->conn.busy);
}

static void trace_unrest(const struct peer *peer)
{
    const struct client *client = peer->client;

    trace("peer %d: greeted %d busy %d queued %u asks %d stuck %d", (int)(peer - peers),
          peer->greeted, peer->conn.busy, (unsigned)client->sender.outbox.len,
          client->asks.first != NULL, heartbeat_is_set(&client->sender.stuck));
    for (const struct follow *f = client->follows; f != NULL; f = f->next)
        trace("  %.*s: follow %d channel %d", (int)follow_key(f).len, follow_key(f).ptr, f->state,
              f->channel->state);
}

static bool is_quiet(void)
{
    for (const struct peer *peer = peers; peer < peers + PEERS; peer++)
        if (!peer_is_quiet(peer))
            return false;
    return pipe_len == 0 && reply_count == 0 && commands.first == NULL &&
           subscriber.first == NULL && loop_testing_deferred_len == 0;
}

static void take_turn(void)
{
    loop_testing_run_deferred();
    work_off_subscribe();
    while (pipe_len > 0)
        receive_some();
    work_off_command();
    deliver_reply();
    loop_testing_advance(10);
}

static void settle(void)
{
    int rounds = 0;

    trace("settling");
    for (; rounds < SETTLE_ROUNDS && (rounds < 20 || !is_quiet()); rounds++) {
        subscriber_up();
        commands_up();
        take_turn();
        for (struct peer *peer = peers; peer < peers + PEERS; peer++)
            if (peer->client != NULL && peer->conn.close_code != 0)
                disconnect_peer(peer);
            else if (peer->client != NULL)
                drain_peer(peer);
    }
    for (const struct peer *peer = peers; rounds == SETTLE_ROUNDS && peer < peers + PEERS; peer++)
        if (!peer_is_quiet(peer))
            trace_unrest(peer);
    CHECK(rounds < SETTLE_ROUNDS, "it comes to rest");
}

static void check_promise(const struct peer *peer, int key)
{
    const struct promise *promise = &peer->promises[key];

    if (!promise->followed)
        return;
    CHECK(promise->start_known, "who follows has been told so");
    for (size_t i = 0; i < boxes[key].len; i++) {
        if (promise->had[i] || notify_id_cmp(boxes[key].entries[i], promise->start) <= 0 ||
            !is_for(peer, key, boxes[key].entries[i]))
            continue;
        trace("peer %d lacks %s %" PRIu64, (int)(peer - peers), key_texts[key],
              boxes[key].entries[i].ms);
        CHECK(false, "every entry arrives");
    }
}

static void check_all(void)
{
    for (const struct peer *peer = peers; peer < peers + PEERS; peer++) {
        if (peer->client == NULL)
            continue;
        CHECK(peer->asked == peer->answered, "every request is answered, once");
        CHECK(!peer->conn.paused, "nobody is left without a hearing");
        for (int k = 0; k < KEYS; k++)
            check_promise(peer, k);
    }
    CHECK(counter_values[COUNTER_EVENTS_DELIVERED] - delivered_before == entries_got,
          "what connections took is counted, and nothing else");
}

/* Of each entry that is handed on it is known at once what becomes of it, at those who have not had
 * it. */
static void on_handed_on(void *ctx, struct notify_str key, const struct event *event,
                         size_t followers)
{
    struct reach reach = event_reach(event);
    uint64_t sum = 0;

    (void)ctx;
    (void)key;
    for (size_t i = 0; i < REACH_PARTS; i++)
        sum += reach.of[i];
    CHECK(sum <= followers, "nobody counts twice, or who does not follow");
    CHECK(reach.of[REACH_ENDED] + reach.of[REACH_TOO_SLOW] == 0, "entries are read anew");
}

static void on_client_closed(void *ctx)
{
    (void)ctx;
}

static void begin(uint64_t number)
{
    static const char *const logs[] = {"topic:all", NULL};
    struct router_limits limits;
    char error[AUTHORITY_ERROR_MAX];

    seed = number;
    random_begin(number);
    memset(boxes, 0, sizeof(boxes));
    memset(peers, 0, sizeof(peers));
    clock_ms = loop_testing_now_ms = 1;
    pipe_len = reply_count = 0;
    filters[0] = filter_testing_of(NOTIFY_STR("c0"));
    filters[1] = filter_testing_of(NOTIFY_STR("c1"));
    answer_max = 1 + below(6);
    link_testing_init(&subscriber);
    link_testing_init(&commands);
    subscriber.up = commands.up = false;
    limits = (struct router_limits){
        .recent_events = 1 + below(20),
        .recent_bytes = chance(50) ? 1000000 : below(4000),
        .ahead_bytes = chance(60) ? 10000000 : below(4000),
        .linger = {.ms = below(300), .channels = 2 + below(4), .per_client = below(3)}};
    router = router_new(LOOP_TESTING, NULL, &limits, &(struct router_plain){NULL, NULL},
                        &client_follow_handlers);
    cr_assert_not_null(router);
    router_watch(router, on_handed_on, NULL);
    entries_got = 0;
    delivered_before = counter_values[COUNTER_EVENTS_DELIVERED];
    turns = turns_new(&commands.keys);
    cr_assert_not_null(turns);
    followings = followings_new(LOOP_TESTING, &commands.keys, arrival_on_logs_followed);
    cr_assert_not_null(followings);
    authority = authority_new(LOOP_TESTING, &(struct authority_config){.open = true}, error);
    cr_assert_not_null(authority);
    admissions = (struct admissions){.loop = LOOP_TESTING, .authority = authority};
    cr_assert_eq(admissions_init(&admissions), 0);
    shared = (struct client_shared){.senders = {.loop = LOOP_TESTING,
                                                .outbox_bytes = 300 + below(3000),
                                                .slow_timeout_ms = 20000},
                                    .admissions = &admissions,
                                    .filters = &category_filters,
                                    .on_leaving = arrival_undo,
                                    .on_box_ended = following_renew,
                                    .followings = followings,
                                    .router = router,
                                    .commands = turns,
                                    .keyspace = &commands.keys,
                                    .keys = &names,
                                    .max_subscriptions = 16,
                                    .broadcast_logs = logs,
                                    .on_closed = on_client_closed};
    cr_assert_eq(client_shared_init(&shared), 0);
}

static void end(void)
{
    commands_down();
    for (struct peer *peer = peers; peer < peers + PEERS; peer++)
        if (peer->client != NULL)
            disconnect_peer(peer);
    router_free(router);
    followings_free(followings);
    client_shared_release(&shared);
    admissions_release(&admissions);
    authority_free(authority);
    turns_free(turns);
    link_testing_go_down(&subscriber);
    drop_pipe();
    loop_testing_run_deferred();
    CHECK(loop_testing_timers == NULL, "no timer is left");
    for (int i = 0; i < FILTERS; i++)
        CHECK(filters[i].filter.refs == 1, "nobody holds a filter");
}

static void scenario(uint64_t number)
{
    begin(number);
    for (uint64_t i = 50 + below(600); i > 0; i--)
        step();
    settle();
    check_all();
    end();
}

Test(client_model, every_client_gets_every_entry_once_and_in_order, .timeout = 280)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    random_scenarios_play(scenario, "NOTIFY_CLIENT_SEED", "NOTIFY_CLIENT_SCENARIOS",
                          DEFAULT_SCENARIOS);
}

/* Stories. */

static struct peer *story_begin(const char *query)
{
    struct http_request req = {.path = NOTIFY_STR("/ws/p0"), .addr = NOTIFY_STR("test")};
    struct peer *peer = &peers[0];

    log_setup(LOG_ERROR, LOG_LOGFMT);
    begin(1);
    answer_max = 3;
    *peer = (struct peer){.filter = -1, .conn = {.on_write = get}};
    promise_anew(&peer->promises[0], NULL);
    promise_anew(&peer->promises[2], NULL);
    req.query = notify_str_z(query);
    arrival_open(&shared, &peer->conn, &req);
    peer->client = peer->conn.peer;
    settle();
    return peer;
}

static void resume_topic(struct peer *peer, int key, struct notify_id from)
{
    char text[200];

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"resume\",\"request_id\":1,\"positions\":{\"%s\":\"%" PRIu64
                   "-%" PRIu64 "\"}}",
                   key_texts[key], from.ms, from.seq);
    promise_anew(&peer->promises[key], &from);
    send_request(peer, text);
}

static void check_count(const char *key, int count)
{
    json_t *told = json_loads(last_resumed, 0, NULL);
    const json_t *result = json_object_get(json_object_get(told, "results"), key);

    cr_assert(json_is_true(json_object_get(result, "recovered")), "%s", last_resumed);
    cr_assert_eq(json_integer_value(json_object_get(result, "count")), count, "%s", last_resumed);
    json_decref(told);
}

/* The topic with little to catch up with is live; the other one is still read. */
static void resume_two(struct peer *peer)
{
    char text[200];

    for (int key = 3; key <= 4; key++)
        promise_anew(&peer->promises[key], &boxes[key].entries[0]);
    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"resume\",\"request_id\":1,\"positions\":{\"topic:t0\":\"%" PRIu64
                   "-%" PRIu64 "@@7\",\"topic:t1\":\"%" PRIu64 "-%" PRIu64 "@@7\"}}",
                   boxes[3].entries[0].ms, boxes[3].entries[0].seq, boxes[4].entries[0].ms,
                   boxes[4].entries[0].seq);
    send_request(peer, text);
    for (int i = 0; i < SETTLE_ROUNDS; i++) {
        const struct follow *follow = client_find_follow(peer->client, NOTIFY_STR("topic:t0"));
        if (follow != NULL && follow->state == FOLLOW_LIVE)
            return;
        take_turn();
    }
}

/* A place is good in the epoch that stands with it: an older one would tell a loss that there is
 * not when it is gone on from. */
Test(client_model, a_resume_tells_the_epochs_of_when_it_is_answered)
{
    struct peer *peer = story_begin("user=u0");
    json_t *told, *epochs;

    last_resumed[0] = '\0';
    boxes[3].epoch = boxes[4].epoch = 7;
    for (int i = 0; i < 2; i++)
        publish(3);
    for (int i = 0; i < 20; i++)
        publish(4);
    resume_two(peer);
    cr_assert_eq(client_find_follow(peer->client, NOTIFY_STR("topic:t1"))->state, FOLLOW_WAITING);
    cr_assert_str_empty(last_resumed);
    boxes[3].epoch = 8; /* Redis is started again, */
    boxes[3].begun_by = boxes[3].len;
    publish(3); /* and a live entry says so before the answer is complete */
    settle();
    check_all();
    told = json_loads(last_resumed, 0, NULL);
    epochs = json_object_get(told, "epochs");
    cr_assert_eq(json_integer_value(json_object_get(epochs, "topic:t0")), 8, "%s", last_resumed);
    cr_assert_eq(json_integer_value(json_object_get(epochs, "topic:t1")), 7, "%s", last_resumed);
    json_decref(told);
    end();
}

Test(client_model, entries_got_while_catching_up_are_counted)
{
    struct peer *peer = story_begin("user=u0");

    for (int i = 0; i < 10; i++)
        publish(3);
    resume_topic(peer, 3, boxes[3].entries[2]);
    settle();
    check_all();
    check_count("topic:t0", 7);
    end();
}

Test(client_model, entries_that_the_filter_holds_back_do_not_count_and_are_not_asked_for_again)
{
    struct peer *peer = story_begin("user=u0");
    const struct follow *follow;
    int passed = 0;

    for (int i = 0; i < 10; i++)
        publish(3);
    for (int i = 3; i < 10; i++)
        passed += boxes[3].entries[i].ms % 3 == 0;
    peer->filter = 0;
    client_set_filter(peer->client, &filters[0].filter);
    resume_topic(peer, 3, boxes[3].entries[2]);
    settle();
    check_all();
    follow = client_find_follow(peer->client, NOTIFY_STR("topic:t0"));
    cr_assert_eq(notify_id_cmp(follow->pos, boxes[3].last), 0, "past what it did not get");
    check_count("topic:t0", passed);
    end();
}

/* That is held back, or passes, of a client with filter 0. */
static void publish_for_filter(int key, bool passes)
{
    while ((clock_ms % 3 == 0) != passes)
        clock_ms++;
    publish(key);
}

static struct peer *story_of_filter(void)
{
    struct peer *peer = story_begin("user=u0");

    boxes[3].epoch = 7;
    publish_for_filter(3, true);
    peer->filter = 0;
    client_set_filter(peer->client, &filters[0].filter);
    resume_topic(peer, 3, (struct notify_id){0, 0});
    settle();
    return peer;
}

static void begin_epoch(int key)
{
    boxes[key].epoch++;
    boxes[key].begun_by = boxes[key].len;
}

/* Or the place that it has with that would be one of the epoch before, in which there is no such
 * entry: it would be told of a loss that there is not. */
Test(client_model, the_epoch_that_an_entry_says_which_is_held_back_is_said_by_the_next)
{
    (void)story_of_filter();
    begin_epoch(3);
    publish_for_filter(3, false);
    settle(); /* each goes out alone */
    publish_for_filter(3, true);
    settle();
    cr_assert_eq(epoch_told, 8);
    publish_for_filter(3, true);
    settle();
    cr_assert_eq(epoch_told, 0, "once");
    begin_epoch(3);
    publish_for_filter(3, false); /* both at once */
    publish_for_filter(3, true);
    settle();
    cr_assert_eq(epoch_told, 9);
    check_all();
    end();
}

Test(client_model, the_first_entry_that_passes_of_what_was_missed_says_the_epoch)
{
    struct peer *peer = story_of_filter();

    publish_for_filter(3, false);
    publish_for_filter(3, true);
    settle();
    resume_topic(peer, 3, boxes[3].entries[0]);
    epoch_told = 0;
    settle();
    cr_assert_eq(epoch_told, 7);
    check_all();
    end();
}
