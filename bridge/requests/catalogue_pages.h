/* catalogue_pages -- what is told of the catalogue over HTTP, to everybody: /events, one event,
 * whether a message fits it, openapi.json and asyncapi.json.
 *
 * All of it is made when somebody first asks, and kept as text. */
#ifndef CATALOGUE_PAGES_H
#define CATALOGUE_PAGES_H

#include "requests/http_route.h"

struct catalogue;
struct exchange;
struct http_state;

#define CATALOGUE_BODY_MAX 65536 /* bytes of a message that is to be judged */

/* All zero: nothing yet. */
struct catalogue_pages {
    struct catalogue *catalogue; /* owned, like all of these; NULL: nobody has asked yet */
    char *events, *openapi, *asyncapi;
};

void catalogue_pages_release(struct catalogue_pages *pages);

void catalogue_answer_events(struct catalogue_pages *pages, struct exchange *exchange);
/* Of the path "/events/{name}", and below it "/validate". */
void catalogue_answer_event(struct catalogue_pages *pages, struct exchange *exchange);
void catalogue_answer_validation(struct catalogue_pages *pages, struct exchange *exchange);
/* route_at: which paths there are in that state; always the same. */
void catalogue_answer_openapi(struct catalogue_pages *pages, struct exchange *exchange,
                              http_route_fn route_at, const struct http_state *state);
void catalogue_answer_asyncapi(struct catalogue_pages *pages, struct exchange *exchange);

#endif
