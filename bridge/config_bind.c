#include "config_bind.h"

#include "config.h"
#include "net/bound_set.h"

struct bound_set *config_bind(const struct config *config, unsigned processes,
                              struct handed *handed)
{
    const struct bound_addresses addresses = {.clients = (const char *const *)config->listen.items,
                                              .clients_len = config->listen.len,
                                              .operators =
                                                  (const char *const *)config->metrics_listen.items,
                                              .operators_len = config->metrics_listen.len};

    return bound_set_new(&addresses, processes, handed);
}
