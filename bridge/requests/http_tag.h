/* http_tag -- entity tags (RFC 9110, 8.8.3): weak ones, as a proxy that compresses makes them. They
 * are the same on every bridge. */
#ifndef HTTP_TAG_H
#define HTTP_TAG_H

#include <stdbool.h>

#include "notify_str.h"

struct http_head;

#define HTTP_TAG_MAX 24

struct http_tag {
    char text[HTTP_TAG_MAX]; /* W/"0123456789abcdef" */
};

/* Of bytes: what they say differs where the tags do, but for one in 2^64. */
struct http_tag http_tag_of(struct notify_str bytes);
/* Is it among those of If-None-Match? */
bool http_tag_matches(const struct http_tag *tag, const struct http_head *head);

#endif
