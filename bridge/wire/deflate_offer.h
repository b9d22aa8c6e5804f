/* deflate_offer -- how compression is agreed on in the opening handshake (RFC 7692, 7.1; RFC 6455,
 * 9.1): which of a client's offers is taken, and what is answered to it. Pure. */
#ifndef DEFLATE_OFFER_H
#define DEFLATE_OFFER_H

#include <stdbool.h>
#include <stddef.h>

struct http_head;

enum deflate_offered {
    DEFLATE_NOT_OFFERED,
    DEFLATE_DECLINED, /* offered, but not in a way that can be taken */
    DEFLATE_TAKEN,
};

/* What is answered to an offer that is taken. */
struct deflate_offer {
    bool names_window; /* it limits ours, so we say what that is */
};

/* Looks through the offers in their order, and takes the first that can be taken. One that has
 * anything in it that is unknown, said twice, or has no such value is none; nor is one that wants a
 * smaller window of us than we have (deflate.h). */
enum deflate_offered deflate_offer_find(const struct http_head *head, struct deflate_offer *ret);

#define DEFLATE_ANSWER_MAX 160
/* Writes the header line, with CR LF, and returns its length. */
int deflate_offer_answer(const struct deflate_offer *offer, char out[DEFLATE_ANSWER_MAX]);

#endif
