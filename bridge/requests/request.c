#include "requests/request.h"

#include <stdlib.h>

#include "clients/client.h"
#include "requests/responder.h"

struct request *request_new(const struct responder *responder, struct client *client)
{
    struct request *r = calloc(1, responder->request_bytes);

    if (r == NULL)
        return NULL;
    r->refs = 1;
    r->responder = responder;
    r->shared = client->shared;
    r->client = client;
    r->bytes = responder->request_bytes;
    return r;
}

struct request *request_ref(struct request *r)
{
    r->refs++;
    return r;
}

void request_unref(void *ctx)
{
    struct request *r = ctx;

    if (--r->refs > 0)
        return;
    if (r->responder->release != NULL)
        r->responder->release(r);
    free(r);
}

struct notify_str request_user(const struct request *r)
{
    return client_user(r->client);
}
