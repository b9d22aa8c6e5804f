#include "config_bind.h"

#include "config.h"
#include "net/bound_set.h"

struct bound_set *config_bind(const struct config *config, unsigned processes,
                              struct handed *handed)
{
    const struct string_list *const lists[LISTEN_DOORS] = {
        [LISTEN_CLIENTS] = &config->listen,
        [LISTEN_METRICS] = &config->metrics_listen,
        [LISTEN_ADMIN] = &config->admin_listen,
    };
    struct bound_addresses addresses = {0};

    for (size_t door = 0; door < LISTEN_DOORS; door++) {
        addresses.of[door].at = (const char *const *)lists[door]->items;
        addresses.of[door].len = lists[door]->len;
    }
    return bound_set_new(&addresses, processes, handed);
}
