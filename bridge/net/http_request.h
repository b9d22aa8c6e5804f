/* http_request -- a head becomes a request: the path decoded, the client's address found. Pure. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "net/http.h"

/* Room for the texts of a request. */
struct http_request_texts {
    char *path; /* as long as the target: a decoded path is never longer */
    char addr[PEER_TEXT_MAX];
};

/* head, texts and whatever head points to must outlive *ret. peer: whose connection it is; trust:
 * the proxies that are believed, and header the field in which they tell of clients, or NULL. 0, or
 * the status to refuse the request with. */
struct http_forwarding {
    struct peer_trust trust;
    const char *header; /* NULL: nothing is believed */
};
int http_request_read(struct http_request *ret, struct http_request_texts *texts,
                      const struct http_head *head, const struct peer_address *peer, bool tls,
                      const struct http_forwarding *forwarding);

#endif
