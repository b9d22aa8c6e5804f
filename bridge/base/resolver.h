/* resolver -- looks host names up without blocking: in /etc/hosts, then at the name servers of
 * /etc/resolv.conf. Both may change, or come, while we run. */
#ifndef RESOLVER_H
#define RESOLVER_H

struct evdns_base;
struct event_base;
struct resolver;

struct resolver_files {
    const char *config, *hosts; /* borrowed; they need not be there */
};
extern const struct resolver_files resolver_system_files;

/* It keeps no loop running. NULL: out of memory. */
struct resolver *resolver_new(struct event_base *base, const struct resolver_files *files);
/* libevent goes back to it after a lookup that was cancelled, so it stays for longer than those who
 * ask. NULL is fine. */
void resolver_free(struct resolver *resolver);

/* For one lookup, by what the files say now. Without a name server in them that of this machine is
 * asked, as by all others here. Borrowed. */
struct evdns_base *resolver_ask(struct resolver *resolver);

#endif
