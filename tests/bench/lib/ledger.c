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

void ledger_check(const struct ledger *ledger, const char *when)
{
    for (uint32_t i = 0; i < ledger->clients; i++) {
        const struct ledger_page *page = &ledger->pages[i];
        if (page->count != ledger->sent.count)
            bench_die("%s: client %u got %" PRIu64 " messages, %" PRIu64 " were sent", when, i,
                      page->count, ledger->sent.count);
        if (page->fold != ledger->sent.fold)
            bench_die("%s: client %u got other ids, or another order, than was sent", when, i);
    }
}
