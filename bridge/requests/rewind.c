#include "requests/rewind.h"

#include <stdlib.h>
#include <string.h>

#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"

struct rewind {
    const struct rewind_kind *kind;
    void *ctx; /* owned until kind->found is called */
    struct rewind_search search;
    size_t key_len;
    char key[];
};

static void rewind_free(void *ctx)
{
    struct rewind *rewind = ctx;

    if (rewind->ctx != NULL)
        rewind->kind->release(rewind->ctx);
    free(rewind);
}

static void finish(struct request *r, struct rewind *rewind)
{
    void *ctx = rewind->ctx;

    rewind->ctx = NULL;
    rewind->kind->found(r, &rewind->search.from, ctx);
    rewind_free(rewind);
}

static void on_reply(struct request *r, const struct resp *reply, void *ctx);

static const struct call_kind kind_of_call = {.fn = on_reply,
                                              .release = rewind_free,
                                              .answer_bytes = CALL_SMALL_ANSWER,
                                              .reply_bytes = REWIND_REPLY_BYTES,
                                              .reads = true};

static void ask(struct request *r, struct rewind *rewind)
{
    struct words words;

    words.len =
        rewind_search_words(&rewind->search, notify_str_of(rewind->key, rewind->key_len), words.at);
    call_send(r, &kind_of_call, rewind, &words);
}

static void on_reply(struct request *r, const struct resp *reply, void *ctx)
{
    struct rewind *rewind = ctx;

    switch (rewind_search_take(&rewind->search, reply)) {
    case REWIND_ON:
        ask(r, rewind);
        break;
    case REWIND_FOUND:
        finish(r, rewind);
        break;
    case REWIND_STRANGE:
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "unexpected reply");
        rewind_free(rewind);
        break;
    }
}

void rewind_find(struct request *r, struct notify_str key, const struct rewind_wish *wish,
                 const struct rewind_kind *kind, void *ctx)
{
    struct rewind *rewind = calloc(1, sizeof(*rewind) + key.len);

    if (rewind == NULL) {
        kind->release(ctx);
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    rewind->kind = kind;
    rewind->ctx = ctx;
    rewind->key_len = key.len;
    memcpy(rewind->key, key.ptr, key.len);
    rewind_search_begin(&rewind->search, wish);
    ask(r, rewind);
}
