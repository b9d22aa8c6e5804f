/* config_bind -- the addresses of --listen and --metrics-listen, bound. */
#ifndef CONFIG_BIND_H
#define CONFIG_BIND_H

struct bound_set;
struct config;
struct handed;

/* As bound_set_new(). */
struct bound_set *config_bind(const struct config *config, unsigned processes,
                              struct handed *handed);

#endif
