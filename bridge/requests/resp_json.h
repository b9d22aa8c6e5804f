/* resp_json -- a reply of Redis as JSON: a map, or an array of names and values, is an object. */
#ifndef RESP_JSON_H
#define RESP_JSON_H

#include <jansson.h>

struct resp;

/* A new value; null for what has no counterpart. What is no UTF-8 is left out, or null. */
json_t *resp_json(const struct resp *reply);

#endif
