/* http_fetch -- gets one small document over HTTP or HTTPS without holding up the loop (evhttp of
 * libevent, with OpenSSL). Redirections are not followed: the address that was configured is the
 * one that is trusted. */
#ifndef HTTP_FETCH_H
#define HTTP_FETCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "notify_str.h"

struct http_fetcher;
struct loop;

struct http_fetch_result {
    const char *error;      /* static text; NULL: status is 200 and the rest holds */
    int status;             /* of the answer; 0: there was none */
    struct notify_str body; /* borrowed for the length of the call */
    uint64_t max_age_s;     /* of Cache-Control; UINT64_MAX: nothing is said */
};

typedef void (*http_fetch_fn)(void *ctx, const struct http_fetch_result *result);

struct http_fetch_limits {
    uint32_t timeout_ms; /* for all of it: a peer may say a byte now and then for ever */
    uint32_t max_bytes;  /* of the body */
    const char *accept;  /* kinds of it; NULL: application/json */
    bool open; /* it is nothing that must be kept from others: http will do from anywhere */
};

/* Is it the address of a document, rather than the path of a file? */
static inline bool http_fetch_is_url(const char *text)
{
    return strstr(text, "://") != NULL;
}

/* Checks https://host[:port]/path, or http:// where the host is a loopback address or "localhost":
 * a key that came over an open network is nobody's. NULL, or what is wrong (static text). */
const char *http_fetch_check(const char *url);
/* The same where http will do. */
const char *http_fetch_check_open(const char *url);

/* url: checked; copied. ca_file: certificates to trust instead of the system's, or NULL. NULL with
 * the reason logged. */
struct http_fetcher *http_fetcher_new(struct loop *loop, const char *url, const char *ca_file,
                                      const struct http_fetch_limits *limits);
/* One at a time; fn is called once, from the loop. 0, -EBUSY, or -ENOMEM. */
int http_fetcher_start(struct http_fetcher *fetcher, http_fetch_fn fn, void *ctx);
/* Gives up what is under way without calling fn. */
void http_fetcher_free(struct http_fetcher *fetcher);

#endif
