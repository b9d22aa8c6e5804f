/* defrag -- active defragmentation of both data types: the callbacks that the server calls with a
 * value whose memory may lie badly. A session set is moved at once, a large box in several steps if
 * the server has scheduled it for that.
 *
 * Source: Redis, "Modules API reference", section "Active defrag"; the functions are in 7.0 and in
 * every later server. */
#ifndef DEFRAG_H
#define DEFRAG_H

#include "server/module_api.h"

/* Callbacks of struct rm_type_methods. They may change *value. 1: not done, call again; else 0. */
int defrag_box(struct rm_defrag *ctx, struct rm_string *key, void **value);
int defrag_sessions(struct rm_defrag *ctx, struct rm_string *key, void **value);

#endif
