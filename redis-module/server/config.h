/* config -- the module's settings: CONFIG SET notify.<name>, a configuration file, or arguments of
 * loadmodule. One table in config.c tells name, default and range of each.
 *
 * Settings only decide what a client's command means; what is replicated names its limits itself,
 * so a replica with other settings ends with the same data. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "server/module_api.h"

enum config_publish {
    CONFIG_PUBLISH_AUTO,    /* PUBLISH on a standalone server, SPUBLISH in a cluster */
    CONFIG_PUBLISH_CHANNEL, /* PUBLISH */
    CONFIG_PUBLISH_SHARD,   /* SPUBLISH */
    CONFIG_PUBLISH_OFF
};

struct config {
    int publish;                       /* enum config_publish */
    long long database;                /* the one that is published; others only store */
    long long max_entries;             /* entries that a box keeps when MAXLEN is not given */
    long long max_entry_bytes;         /* rendered bytes of one entry */
    long long max_reply_bytes;         /* bytes of messages in one reply of NOTIFY.SINCE */
    long long idempotency_window_ms;   /* how long a token is remembered */
    long long idempotency_max;         /* tokens that a box remembers */
    long long session_max_connections; /* connections that a session set takes */
    long long write_version;           /* the highest level that is written: versions.h */
};

/* The present settings. */
const struct config *config_get(void);

/* Whether effects and payloads may be written that only readers of this level understand. */
bool config_writes(int version);

/* Registers every setting and loads its value. argv are pairs of name and value, with or without
 * "notify." in front, that replace defaults. False (and logged) for a wrong one. */
bool config_init(struct rm_ctx *ctx, struct rm_string **argv, int argc);

#endif
