#include <criterion/criterion.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/cluster_map.h"
#include "redis/resp.h"

/* Replies, of one test. */

static _Alignas(max_align_t) char memory[1 << 20];
static size_t memory_len;

static void *take(size_t bytes)
{
    void *taken = memory + memory_len;

    memory_len += (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    cr_assert_leq(memory_len, sizeof(memory));
    return memset(taken, 0, bytes);
}

static struct resp *list_of(enum resp_kind kind, size_t len, ...)
{
    struct resp *list = take(sizeof(*list));
    va_list items;

    list->kind = kind;
    list->len = len;
    list->items = take((len + 1) * sizeof(*list->items));
    va_start(items, len);
    for (size_t i = 0; i < len; i++)
        list->items[i] = va_arg(items, struct resp *);
    va_end(items);
    return list;
}

static struct resp *number(int64_t value)
{
    struct resp *reply = take(sizeof(*reply));

    *reply = (struct resp){.kind = RESP_INTEGER, .integer = value};
    return reply;
}

static struct resp *text(const char *value)
{
    struct resp *reply = take(sizeof(*reply));

    *reply = (struct resp){.kind = RESP_NIL};
    if (value != NULL)
        *reply = (struct resp){.kind = RESP_STRING, .str = notify_str_z(value)};
    return reply;
}

static struct resp *node(const char *endpoint, int port, const char *role, const char *health)
{
    return list_of(RESP_MAP, 12, text("endpoint"), text(endpoint), text("port"), number(port),
                   text("tls-port"), number(port + 1000), text("role"), text(role), text("health"),
                   text(health), text("ip"), text("10.0.0.9"));
}

static struct resp *shard(struct resp *slots, struct resp *nodes)
{
    return list_of(RESP_MAP, 4, text("slots"), slots, text("nodes"), nodes);
}

static struct resp *slots(int64_t first, int64_t last)
{
    return list_of(RESP_ARRAY, 2, number(first), number(last));
}

/* With one shard that has all slots. */
static struct resp *map_of(struct resp *nodes)
{
    return list_of(RESP_ARRAY, 1, shard(slots(0, SLOTS - 1), nodes));
}

static struct cluster_map map;
static const struct cluster_view view = {.asked = "seed.example", .tls = false};

static const char *place_of(unsigned slot)
{
    static char out[CLUSTER_HOST_MAX + 16];

    if (map.owners[slot] == CLUSTER_NOBODY)
        return "nobody";
    (void)snprintf(out, sizeof(out), "%s %d", map.places[map.owners[slot]].host,
                   map.places[map.owners[slot]].port);
    return out;
}

Test(cluster_map, tells_who_has_each_slot)
{
    struct resp *reply =
        list_of(RESP_ARRAY, 2,
                shard(list_of(RESP_ARRAY, 4, number(0), number(99), number(200), number(200)),
                      list_of(RESP_ARRAY, 2, node("a", 1, "replica", "online"),
                              node("b", 2, "master", "online"))),
                shard(slots(100, 199), list_of(RESP_ARRAY, 1, node("::1", 3, "master", "online"))));

    cr_assert_null(cluster_map_read(&map, reply, &view));
    cr_expect_str_eq(place_of(0), "b 2");
    cr_expect_str_eq(place_of(99), "b 2");
    cr_expect_str_eq(place_of(100), "::1 3");
    cr_expect_str_eq(place_of(200), "b 2");
    cr_expect_str_eq(place_of(201), "nobody");
    cr_expect_eq(map.primaries, 2);
    cr_expect_eq(map.len, 3, "replicas can be asked, too");
}

Test(cluster_map, takes_the_port_for_tls_where_tls_is_spoken)
{
    const struct cluster_view tls = {.asked = "seed", .tls = true};

    cr_assert_null(cluster_map_read(
        &map, map_of(list_of(RESP_ARRAY, 1, node("a", 1, "master", "online"))), &tls));
    cr_expect_str_eq(place_of(0), "a 1001");
}

Test(cluster_map, servers_without_a_name_are_where_they_were_asked)
{
    static const char *const nothing[] = {NULL, ""};

    for (size_t i = 0; i < 2; i++) {
        cr_assert_null(cluster_map_read(
            &map, map_of(list_of(RESP_ARRAY, 1, node(nothing[i], 7, "master", "online"))), &view));
        cr_expect_str_eq(place_of(5), "seed.example 7");
    }
}

Test(cluster_map, a_server_that_lacks_the_name_that_it_should_say_is_known_by_its_address)
{
    cr_assert_null(cluster_map_read(
        &map, map_of(list_of(RESP_ARRAY, 1, node("?", 7, "master", "online"))), &view));
    cr_expect_str_eq(place_of(5), "10.0.0.9 7");
}

Test(cluster_map, a_primary_that_has_failed_has_its_slots_until_another_has_them)
{
    struct resp *failed = node("a", 1, "master", "fail"), *good = node("b", 2, "master", "online");

    cr_assert_null(cluster_map_read(&map, map_of(list_of(RESP_ARRAY, 2, failed, good)), &view));
    cr_expect_str_eq(place_of(0), "b 2");
    cr_assert_null(cluster_map_read(&map, map_of(list_of(RESP_ARRAY, 1, failed)), &view));
    cr_expect_str_eq(place_of(0), "a 1");
}

Test(cluster_map, what_is_none_is_refused)
{
    struct resp *nodes = list_of(RESP_ARRAY, 1, node("a", 1, "master", "online"));
    struct resp *const wrong[] = {
        text("a"),
        list_of(RESP_ARRAY, 0),
        list_of(RESP_ARRAY, 1, text("a")),
        list_of(RESP_ARRAY, 1, shard(text("a"), nodes)),
        list_of(RESP_ARRAY, 1, shard(slots(0, 1), text("a"))),
        list_of(RESP_ARRAY, 1, shard(slots(0, SLOTS), nodes)),
        list_of(RESP_ARRAY, 1, shard(slots(-1, 5), nodes)),
        list_of(RESP_ARRAY, 1, shard(slots(5, 4), nodes)),
        list_of(RESP_ARRAY, 1, shard(list_of(RESP_ARRAY, 1, number(5)), nodes)),
        list_of(RESP_ARRAY, 1, shard(list_of(RESP_ARRAY, 2, text("0"), number(5)), nodes)),
        map_of(list_of(RESP_ARRAY, 1, text("a"))),
        map_of(list_of(RESP_ARRAY, 1, node("a", 0, "master", "online"))),
        map_of(list_of(RESP_ARRAY, 1, node("a", 70000, "master", "online"))),
        map_of(list_of(RESP_ARRAY, 1, node("a", 1, "replica", "online"))),
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_not_null(cluster_map_read(&map, wrong[i], &view), "%zu", i);
}

Test(cluster_map, has_room_for_so_many_servers_and_no_more)
{
    struct resp *nodes = list_of(RESP_ARRAY, 0);

    nodes->len = CLUSTER_NODES_MAX + 5;
    nodes->items = calloc(nodes->len, sizeof(*nodes->items));
    for (size_t i = 0; i < nodes->len; i++)
        nodes->items[i] = node("a", (int)i + 1, i == 0 ? "master" : "replica", "online");
    cr_assert_null(cluster_map_read(&map, map_of(nodes), &view));
    cr_expect_eq(map.len, CLUSTER_NODES_MAX);
    cr_expect(map.left_out);
}

Test(cluster_map, more_primaries_than_can_be_connected_to_are_refused)
{
    struct resp *reply = list_of(RESP_ARRAY, 0);

    reply->len = CLUSTER_PRIMARIES_MAX + 1;
    reply->items = calloc(reply->len, sizeof(*reply->items));
    for (size_t i = 0; i < reply->len; i++)
        reply->items[i] = shard(slots((int64_t)i, (int64_t)i),
                                list_of(RESP_ARRAY, 1, node("a", (int)i + 1, "master", "online")));
    cr_expect_not_null(cluster_map_read(&map, reply, &view));
    reply->len--;
    cr_expect_null(cluster_map_read(&map, reply, &view));
}

static const char *pointer(const char *error)
{
    static char out[CLUSTER_HOST_MAX + 32];
    struct cluster_pointer found;

    if (!cluster_pointer_read(&found, notify_str_z(error), "asked"))
        return "nothing";
    (void)snprintf(out, sizeof(out), "%u %s %d", found.slot, found.place.host, found.place.port);
    return out;
}

Test(cluster_map, redirections_are_read_strictly)
{
    cr_expect_str_eq(pointer("MOVED 3999 127.0.0.1:6381"), "3999 127.0.0.1 6381");
    cr_expect_str_eq(pointer("ASK 0 ::1:6381"), "0 ::1 6381");
    cr_expect_str_eq(pointer("MOVED 13006 :7702"), "13006 asked 7702");
    cr_expect_str_eq(pointer("MOVED 1 ?:7702"), "nothing");
    cr_expect_str_eq(pointer("MOVED 16384 a:1"), "nothing");
    cr_expect_str_eq(pointer("MOVED 99999999999999999999 a:1"), "nothing");
    cr_expect_str_eq(pointer("MOVED -1 a:1"), "nothing");
    cr_expect_str_eq(pointer("MOVED 1 a"), "nothing");
    cr_expect_str_eq(pointer("MOVED 1 a:0"), "nothing");
    cr_expect_str_eq(pointer("MOVED 1 a:65536"), "nothing");
    cr_expect_str_eq(pointer("MOVED 1 a:1x"), "nothing");
    cr_expect_str_eq(pointer("MOVED 1 a:"), "nothing");
    cr_expect_str_eq(pointer("MOVED 1"), "nothing");
    cr_expect_str_eq(pointer("MOVED"), "nothing");
    cr_expect_str_eq(pointer("MOVED "), "nothing");
    cr_expect_str_eq(pointer("MOVED  a:1"), "nothing");
}
