/* box_info -- what NOTIFY.INFO says of the categories of a box. */
#ifndef BOX_INFO_H
#define BOX_INFO_H

#include <stdbool.h>

#include <jansson.h>

struct resp;

/* Of a reply: 4,096 categories, each with a name of at most 64 bytes and three numbers. */
#define BOX_INFO_BYTES 1048576

/* Is it an answer? That there is no such box is one. */
bool box_info_is_answer(const struct resp *reply);
/* A new array of the names of those categories of which field ("length", "muted") is not 0. */
json_t *box_info_categories(const struct resp *reply, const char *field);

#endif
