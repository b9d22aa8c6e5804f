#include "requests/request.h"

#include <stdlib.h>

#include "identity/identity.h"
#include "requests/responder.h"

struct request *request_new(const struct responder *responder, struct client_shared *shared,
                            struct identity *identity)
{
    struct request *r = calloc(1, responder->request_bytes);

    if (r == NULL)
        return NULL;
    r->refs = 1;
    r->responder = responder;
    r->shared = shared;
    r->identity = identity == NULL ? NULL : identity_ref(identity);
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
    (void)identity_unref(r->identity);
    free(r->marked);
    free(r);
}

struct notify_str request_user(const struct request *r)
{
    static const struct notify_str nobody = {NULL, 0};

    return r->identity == NULL ? nobody : identity_user(r->identity);
}
