/* command_keys -- where the keys of a command stand among its arguments, and what it does with
 * them: for COMMAND GETKEYS, clients of a cluster, proxies and ACLs. */
#ifndef COMMAND_KEYS_H
#define COMMAND_KEYS_H

#include "server/module_api.h"

enum key_use {
    KEY_READ,
    KEY_INSERT,
    KEY_UPDATE,
    KEY_DELETE,
    KEY_INSERT_MANY, /* numkeys, keys */
    KEY_PAIRS,
    KEY_READ_LOG,    /* a key, and a log behind LOG */
    KEY_READ_LOGS,   /* a key, and logs behind LOGS */
    KEY_UPDATE_LOG,  /* a key, and a log behind LOG */
    KEY_UPDATE_LOGS, /* or behind LOGS several */
    KEY_FOLLOW,      /* a key, and logs up to the options */
    KEY_UNFOLLOW,
    KEY_SUB_READ, /* of a subcommand, whose name comes before the key */
    KEY_SUB_INSERT,
    KEY_SUB_UPDATE,
    KEY_SUB_PAIRS, /* every second argument from the fourth on */
    KEY_SUB_DELETE,
    KEY_NONE
};

/* As the server wants them; borrowed. The last one has no begin_search. */
struct rm_key_spec *command_keys_specs(enum key_use use);

/* The same for servers and clients that know only this: first key, last key, step. */
struct command_key_range {
    int first, last, step;
};
struct command_key_range command_keys_range(enum key_use use);

#endif
