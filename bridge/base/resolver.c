#include "base/resolver.h"

#include <stdbool.h>
#include <stdlib.h>

#include <event2/dns.h>

#include "base/file_watch.h"

struct resolver {
    struct evdns_base *dns; /* owned */
    struct resolver_files files;
    struct file_watch config, hosts; /* as they were when they were read */
};

const struct resolver_files resolver_system_files = {.config = "/etc/resolv.conf",
                                                     .hosts = "/etc/hosts"};

/* What cannot be read leaves libevent with what it assumes by itself: this machine's name server,
 * and localhost. Lookups that are under way ask whoever is there now. */
static void read_files(struct resolver *resolver)
{
    (void)evdns_base_clear_nameservers_and_suspend(resolver->dns); /* fails for no base alone */
    evdns_base_clear_host_addresses(resolver->dns);
    (void)evdns_base_load_hosts(resolver->dns, resolver->files.hosts);
    (void)evdns_base_resolv_conf_parse(resolver->dns, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE,
                                       resolver->files.config);
    (void)evdns_base_resume(resolver->dns);
}

/* Both are looked at. */
static bool have_changed(struct resolver *resolver)
{
    bool config = file_watch_changed(&resolver->config, resolver->files.config);

    return file_watch_changed(&resolver->hosts, resolver->files.hosts) || config;
}

struct resolver *resolver_new(struct event_base *base, const struct resolver_files *files)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL)
        return NULL;
    resolver->files = *files;
    resolver->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (resolver->dns == NULL) {
        free(resolver);
        return NULL;
    }
    (void)have_changed(resolver);
    read_files(resolver);
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver != NULL)
        evdns_base_free(resolver->dns, 0);
    free(resolver);
}

struct evdns_base *resolver_ask(struct resolver *resolver)
{
    if (have_changed(resolver))
        read_files(resolver);
    return resolver->dns;
}
