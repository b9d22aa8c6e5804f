/* ledger -- each id exactly once and in order; see ledger.h. */
#include "ledger.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bench.h"
#include "notify_id.h"

static void page_add(struct ledger_page *page, struct notify_str text)
{
    struct notify_id id;

    if (!notify_id_parse(text, 0, &id))
        bench_die("not an id: %.*s", (int)text.len, text.ptr);
    uint64_t state = page->fold ^ id.ms;
    state = bench_random(&state) ^ id.seq;
    page->fold = bench_random(&state);
    page->count++;
}

void ledger_init(struct ledger *ledger, uint32_t clients)
{
    *ledger = (struct ledger){.clients = clients};
    ledger->pages = bench_alloc(clients * sizeof(ledger->pages[0]));
    memset(ledger->pages, 0, clients * sizeof(ledger->pages[0]));
}

void ledger_release(struct ledger *ledger)
{
    free(ledger->pages);
    *ledger = (struct ledger){.clients = 0};
}

void ledger_sent(struct ledger *ledger, struct notify_str id)
{
    page_add(&ledger->sent, id);
}

uint64_t ledger_received(struct ledger *ledger, uint32_t client, struct notify_str id)
{
    page_add(&ledger->pages[client], id);
    return ledger->pages[client].count;
}

static void check_page(const struct ledger_page *sent, const struct ledger_page *got, uint32_t i,
                       const char *when)
{
    if (got->count != sent->count)
        bench_die("%s: client %u got %" PRIu64 " messages, %" PRIu64 " were sent", when, i,
                  got->count, sent->count);
    if (got->fold != sent->fold)
        bench_die("%s: client %u got other ids, or another order, than was sent", when, i);
}

void ledger_compare(const struct ledger *sent, const struct ledger *got, uint32_t share,
                    const char *when)
{
    for (uint32_t i = 0; i < got->clients; i++)
        check_page(&sent->pages[i / share], &got->pages[i], i, when);
}

void ledger_check(const struct ledger *ledger, const char *when)
{
    for (uint32_t i = 0; i < ledger->clients; i++)
        check_page(&ledger->sent, &ledger->pages[i], i, when);
}
