#include "net/http_request.h"

#include <string.h>
#include <strings.h>

enum { STATUS_BAD_REQUEST = 400 };

/* -1: none. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#define IN_NO_PATH 0xFF

/* The byte that an escape stands for; *ret_len: how long the escape is. */
static unsigned char read_escape(struct notify_str text, size_t *ret_len)
{
    int high = text.len >= 3 ? hex_digit(text.ptr[1]) : -1;
    int low = text.len >= 3 ? hex_digit(text.ptr[2]) : -1;
    int byte = high < 0 || low < 0 ? 0 : high * 16 + low;

    *ret_len = high < 0 || low < 0 ? 1 : 3;
    return byte == 0 || byte == '/' ? IN_NO_PATH : (unsigned char)byte;
}

/* One segment, decoded, behind out[len]; returns the new length. A decoded path is never longer. */
static size_t put_segment(char *out, size_t len, struct notify_str raw)
{
    size_t used = 1;

    for (size_t i = 0; i < raw.len; i += used) {
        used = 1;
        out[len++] = raw.ptr[i] == '%'
                         ? (char)read_escape(notify_str_of(raw.ptr + i, raw.len - i), &used)
                         : raw.ptr[i];
    }
    return len;
}

static size_t drop_segment(const char *out, size_t len)
{
    while (len > 0 && out[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

/* RFC 3986, 5.2.4, segment by segment, so that no other spelling of a path reaches a route that it
 * should not; empty segments in the middle are passed over. */
static struct notify_str read_path(char *out, struct notify_str raw)
{
    size_t len = 0, at = 0;
    bool open = false; /* the path ends with a slash */

    while (at < raw.len) {
        const char *slash = memchr(raw.ptr + at + 1, '/', raw.len - at - 1);
        size_t end = slash == NULL ? raw.len : (size_t)(slash - raw.ptr);
        size_t begin = len;

        out[len] = '/';
        len = put_segment(out, len + 1, notify_str_of(raw.ptr + at + 1, end - at - 1));
        open = len == begin + 1;
        if (len - begin == 2 && out[begin + 1] == '.') {
            open = true;
            len = begin;
        } else if (len - begin == 3 && memcmp(out + begin + 1, "..", 2) == 0) {
            open = true;
            len = drop_segment(out, begin);
        } else if (open) {
            len = begin;
        }
        at = end;
    }
    if (open || len == 0)
        out[len++] = '/';
    return notify_str_of(out, len);
}

/* The elements of a list that goes over several fields, from its end to its begin. */
struct hops_at {
    const struct http_head *head;
    const char *name;
    size_t left; /* elements that have not been given yet */
};

static bool next_hop(void *ctx, struct notify_str *ret_element)
{
    struct hops_at *at = ctx;
    struct http_list_at list = {0};

    if (at->left == 0)
        return false;
    for (size_t i = 0; i < at->left; i++)
        (void)http_list_next(at->head, at->name, &list, ret_element); /* they have been counted */
    at->left--;
    return true;
}

static struct peer_address find_peer(const struct http_head *head, const struct peer_address *peer,
                                     const struct http_forwarding *forwarding)
{
    struct hops_at at = {.head = head, .name = forwarding->header};
    struct peer_hops hops = {next_hop, &at};
    struct peer_address ret = *peer;
    struct http_list_at list = {0};
    struct notify_str element;

    if (forwarding->header == NULL || !peer_is_trusted(&forwarding->trust, peer))
        return ret;
    while (http_list_next(head, forwarding->header, &list, &element))
        at.left++;
    peer_forwarded(&forwarding->trust, &hops, strcasecmp(forwarding->header, "Forwarded") == 0,
                   &ret);
    return ret;
}

int http_request_read(struct http_request *ret, struct http_request_texts *texts,
                      const struct http_head *head, const struct peer_address *peer, bool tls,
                      const struct http_forwarding *forwarding)
{
    unsigned origins;

    *ret = (struct http_request){
        .method = head->method,
        .path = head->path.ptr[0] == '/' ? read_path(texts->path, head->path) : head->path,
        .query = head->query,
        .origin = http_field(head, "Origin", &origins),
        .host = head->host,
        .peer = find_peer(head, peer, forwarding),
        .tls = tls,
        .head = head,
    };
    ret->addr = notify_str_z(peer_address_format(&ret->peer, texts->addr));
    return origins > 1 ? STATUS_BAD_REQUEST : 0;
}
