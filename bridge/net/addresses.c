#include "net/addresses.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/log.h"
#include "base/loop.h"

#define FORGET_AT_ONCE 2 /* looked at whenever one more is remembered: so they get fewer again */

static_assert(COUNTER_CONNECTIONS <= 128, "address.told has a bit for each limit");

struct address {
    struct hash_node node;          /* first */
    struct addresses *all;          /* borrowed */
    TAILQ_ENTRY(address) idle_link; /* while it has no connection */
    uint64_t key;
    struct token_bucket attempts;
    uint64_t told[2];     /* limits that the log has told of, one bit each, */
    uint64_t told_ms;     /* since then */
    uint32_t connections; /* and who keeps it besides: */
    uint32_t kept;
    bool exempt; /* part of the key: of one /64 some may be, and others not */
};

struct addresses {
    struct loop *loop; /* borrowed */
    struct address_limits limits;
    struct hash_table table; /* of all */
    size_t idle_count;
    TAILQ_HEAD(address_queue, address) idle; /* in the order in which they became so */
    struct token_bucket lines;
    uint64_t kept_back; /* lines, since the last one */
};

static uint64_t now_us(const struct addresses *all)
{
    return loop_now_ms(all->loop) * 1000;
}

static uint64_t hash_address(const struct hash_table *table, uint64_t key)
{
    return hash_bytes(&table->key, notify_str_of((const char *)&key, sizeof(key)));
}

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_address(table, ((const struct address *)node)->key);
}

struct addresses *addresses_new(struct loop *loop, const struct address_limits *limits)
{
    struct addresses *all = calloc(1, sizeof(*all));

    if (all == NULL)
        return NULL;
    if (hash_table_init(&all->table, hash_of) != 0) {
        free(all);
        return NULL;
    }
    all->loop = loop;
    all->limits = *limits;
    TAILQ_INIT(&all->idle);
    return all;
}

/* The table. */

static struct address *find(const struct addresses *all, uint64_t key, bool exempt)
{
    struct hash_node *n = hash_table_chain(&all->table, hash_address(&all->table, key));

    for (; n != NULL; n = n->next) {
        struct address *address = (struct address *)n;
        if (address->key == key && address->exempt == exempt)
            return address;
    }
    return NULL;
}

static void forget(struct address *address)
{
    hash_table_remove(&address->all->table, &address->node);
    free(address);
}

/* Those without a connection. */

static void forget_idle(struct address *address)
{
    struct addresses *all = address->all;

    TAILQ_REMOVE(&all->idle, address, idle_link);
    all->idle_count--;
    forget(address);
}

static bool has_told(const struct address *address)
{
    return (address->told[0] | address->told[1]) != 0;
}

static bool has_something_to_remember(const struct address *address)
{
    const struct addresses *all = address->all;

    return !token_bucket_is_full(&address->attempts, now_us(all)) ||
           (has_told(address) && loop_now_ms(all->loop) - address->told_ms < ADDRESS_LINE_MS);
}

static void remember(struct address *address)
{
    struct addresses *all = address->all;
    struct address *oldest, *next;

    TAILQ_INSERT_TAIL(&all->idle, address, idle_link);
    all->idle_count++;
    oldest = TAILQ_FIRST(&all->idle);
    for (int i = 0; i < FORGET_AT_ONCE && oldest != NULL; i++, oldest = next) {
        if (has_something_to_remember(oldest))
            break;
        next = TAILQ_NEXT(oldest, idle_link);
        forget_idle(oldest);
    }
    if (oldest == NULL || all->idle_count <= all->limits.remembered)
        return;
    counter_add(COUNTER_ADDRESSES_FORGOTTEN, 1);
    forget_idle(oldest);
}

void addresses_free(struct addresses *all)
{
    if (all == NULL)
        return;
    for (struct address *idle = TAILQ_FIRST(&all->idle), *next; idle != NULL; idle = next) {
        next = TAILQ_NEXT(idle, idle_link);
        forget_idle(idle);
    }
    assert(all->table.count == 0);
    hash_table_release(&all->table);
    free(all);
}

size_t addresses_count(const struct addresses *all)
{
    return all->table.count;
}

/* Connections. */

static struct address *address_new(struct addresses *all, uint64_t key, bool exempt)
{
    struct address *address = calloc(1, sizeof(*address));

    if (address == NULL)
        return NULL;
    address->all = all;
    address->key = key;
    address->exempt = exempt;
    hash_table_add(&all->table, &address->node);
    return address;
}

struct address *addresses_take(struct addresses *all, const struct peer_address *addr)
{
    uint64_t key = peer_address_key(addr);
    bool exempt = key == 0 || peer_is_trusted(&all->limits.exempt, addr) ||
                  peer_is_trusted(&all->limits.proxies, addr);
    struct address *address = find(all, key, exempt);

    if (address == NULL) {
        address = address_new(all, key, exempt);
    } else if (address->connections == 0) {
        TAILQ_REMOVE(&all->idle, address, idle_link);
        all->idle_count--;
    }
    if (address != NULL)
        address->connections++;
    return address;
}

void address_release(struct address *address)
{
    if (address == NULL || --address->connections > 0)
        return;
    if (has_something_to_remember(address))
        remember(address);
    else
        forget(address);
}

struct address *address_keep(struct address *address)
{
    if (address == NULL)
        return NULL;
    address->connections++;
    address->kept++;
    return address;
}

void address_unkeep(struct address *address)
{
    if (address != NULL)
        address->kept--;
    address_release(address);
}

/* Limits. */

bool address_is_crowded(const struct address *address, size_t beside)
{
    size_t most = address == NULL ? 0 : address->all->limits.connections;

    return most != 0 && !address->exempt && address->connections - address->kept > most + beside;
}

uint64_t address_try(struct address *address, uint32_t cost)
{
    const struct token_rate *rate;

    if (address == NULL || address->exempt)
        return 0;
    rate = &address->all->limits.attempts;
    if (cost > rate->burst)
        cost = rate->burst;
    return (token_bucket_take(&address->attempts, rate, cost, now_us(address->all)) + 999) / 1000;
}

/* Is there to be a line about this limit? */
static bool is_news(struct address *address, enum counter limit)
{
    struct addresses *all = address->all;
    uint64_t now_ms = loop_now_ms(all->loop), bit = UINT64_C(1) << limit % 64;
    uint64_t *told = &address->told[limit / 64];

    if (!has_told(address) || now_ms - address->told_ms >= ADDRESS_LINE_MS) {
        address->told[0] = address->told[1] = 0;
        address->told_ms = now_ms;
    }
    if ((*told & bit) != 0)
        return false;
    *told |= bit;
    return true;
}

static bool may_write_line(struct addresses *all)
{
    static const struct token_rate rate = {ADDRESS_LINES_PER_S, ADDRESS_LINES_BURST};

    if (token_bucket_take(&all->lines, &rate, 1, now_us(all)) == 0)
        return true;
    all->kept_back++;
    counter_add(COUNTER_LIMIT_LINES_KEPT_BACK, 1);
    return false;
}

void address_limit_met(struct address *address, enum counter limit)
{
    struct notify_str name = counter_limit_name(limit);
    char text[ADDRESS_TEXT_MAX];

    counter_add(limit, 1);
    if (address == NULL || !is_news(address, limit) || !may_write_line(address->all))
        return;
    log_warn("limit_met", "limit", log_bytes(name.ptr, name.len), "addr",
             address_format(address, text), "lines_kept_back",
             log_int((int64_t)address->all->kept_back));
    address->all->kept_back = 0;
}

const char *address_format(const struct address *address, char out[ADDRESS_TEXT_MAX])
{
    struct peer_address base;

    if (address == NULL)
        return memcpy(out, "unknown", sizeof("unknown"));
    base = peer_address_of_key(address->key);
    (void)peer_address_format(&base, out);
    if (base.family == PEER_V6)
        memcpy(out + strlen(out), "/64", sizeof("/64"));
    return out;
}
