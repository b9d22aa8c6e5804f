/* http_head -- a strict reader of the heads of HTTP/1.0 and 1.1 requests (RFC 9112; RFC 9110 for
 * fields). Pure: no sockets, no clock, no memory of its own.
 *
 * Whatever a lenient reader lets through and another one understands otherwise is a way to smuggle
 * a request past a proxy, so each deviation has one answer: the status to refuse the request with.
 *
 * A head is read in two steps. http_scan() looks at each byte once, as it comes, and says when the
 * head is whole; then http_head_parse() cuts it into slices of the caller's buffer:
 *
 *     struct http_scan scan = {0};
 *     while ((status = http_scan(&scan, buf, len)) == HTTP_SCAN_MORE) len += recv(…);
 *     if (status == 0) status = http_head_parse(&head, buf, scan.end);
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

#define HTTP_HEAD_MAX 16384  /* bytes, with the blank line; more: 431 */
#define HTTP_LINE_MAX 8128   /* bytes of the request line; more: 414 */
#define HTTP_TARGET_MAX 8000 /* bytes of the target in it; more: 414 */
#define HTTP_METHOD_MAX 20   /* bytes; more: 501 */
#define HTTP_FIELDS_MAX 100  /* more: 431 */

#define HTTP_SCAN_MORE (-1) /* the head is not whole yet */

/* Zeroed is at the beginning. */
struct http_scan {
    size_t at;   /* bytes looked at */
    size_t line; /* where the line begins in which that is */
    size_t end;  /* of the head, once it is whole: what follows is the body, or the next request */
    bool has_request_line;
};

/* bytes[0..len): all that has come so far. HTTP_SCAN_MORE, 0 when scan->end is set, or the status
 * to refuse with. */
int http_scan(struct http_scan *scan, const char *bytes, size_t len);

struct http_field {
    struct notify_str name, value; /* the value without blanks around it */
};

enum http_framing {
    HTTP_NO_BODY,
    HTTP_LENGTH,  /* head.length bytes, which may be 0 */
    HTTP_CHUNKED, /* RFC 9112, 7.1 */
};

/* Slices of the buffer that was parsed. */
struct http_head {
    struct notify_str method; /* case-sensitive (RFC 9110, 9.1) */
    struct notify_str path;   /* "/ws/alice", percent-encoded; "*" for OPTIONS alone */
    struct notify_str query;  /* without '?'; ptr NULL when there is none */
    struct notify_str host;   /* of an absolute target, else of Host; may be empty */
    uint8_t minor;            /* HTTP/1.minor: 0 or 1 */
    bool bad_escape;          /* the target holds a '%' without two digits behind it, or %00 */
    bool close;               /* the connection ends after the answer */
    bool keep_alive;          /* asked for by name (HTTP/1.0) */
    bool upgrade;             /* Connection names it, and this is HTTP/1.1 */
    bool expects_continue;
    enum http_framing framing;
    uint64_t length;
    uint32_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* bytes[0..len): a whole head. 0, or the status to refuse with. */
int http_head_parse(struct http_head *ret, const char *bytes, size_t len);

/* The value of the first field of that name (any case); *ret_count (may be NULL): how many there
 * are. ptr NULL: none. */
struct notify_str http_field(const struct http_head *head, const char *name, unsigned *ret_count);
/* Walks the comma-separated elements of all fields of that name, which are one list (RFC
 * 9110, 5.3). *at begins as 0. False: no more. Empty elements are passed over. */
struct http_list_at {
    uint32_t field;
    size_t offset;
};
bool http_list_next(const struct http_head *head, const char *name, struct http_list_at *at,
                    struct notify_str *ret_element);
/* Whether the list has such an element, whatever its case. */
bool http_list_has(const struct http_head *head, const char *name, const char *element);

/* ASCII letters are equal in either case. */
bool http_equal(struct notify_str text, const char *word);

#endif
