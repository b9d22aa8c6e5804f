#include "clients/rewinding.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "clients/client.h"
#include "clients/progress.h"
#include "net/conn.h"
#include "redis/resp.h"
#include "redis/turns.h"
#include "wire/bookmark.h"

struct rewound_key {
    size_t len;
    char bytes[];
};

struct rewinding {
    struct client *client; /* its memory is kept by sender_call_begin() while this runs */
    void (*fn)(struct client *client);
    struct rewind_wish wish;
    struct rewind_search search;                 /* of keys[at] */
    size_t at, len, bytes;                       /* bytes: of all keys */
    struct rewound_key *keys[BOOKMARK_KEYS_MAX]; /* owned */
    struct bookmark found;                       /* where those before keys[at] begin */
};

struct rewinding *rewinding_new(struct client *client, const struct rewind_wish *wish)
{
    struct rewinding *rewinding = calloc(1, sizeof(*rewinding));

    if (rewinding == NULL)
        return NULL;
    rewinding->client = client;
    rewinding->wish = *wish;
    return rewinding;
}

void rewinding_free(struct rewinding *rewinding)
{
    if (rewinding == NULL)
        return;
    for (size_t i = 0; i < rewinding->len; i++)
        free(rewinding->keys[i]);
    free(rewinding);
}

static struct notify_str key_at(const struct rewinding *rewinding, size_t i)
{
    return notify_str_of(rewinding->keys[i]->bytes, rewinding->keys[i]->len);
}

static bool has_key(const struct rewinding *rewinding, struct notify_str key)
{
    for (size_t i = 0; i < rewinding->len; i++)
        if (notify_str_eq(key_at(rewinding, i), key))
            return true;
    return false;
}

bool rewinding_add(struct rewinding *rewinding, struct notify_str key)
{
    struct rewound_key *kept;

    if (rewinding->len == BOOKMARK_KEYS_MAX || has_key(rewinding, key))
        return true;
    kept = malloc(sizeof(*kept) + key.len);
    if (kept == NULL)
        return false;
    kept->len = key.len;
    memcpy(kept->bytes, key.ptr, key.len);
    rewinding->keys[rewinding->len++] = kept;
    rewinding->bytes += sizeof(*kept) + key.len;
    return true;
}

/* The end, one way or another. */

static size_t held_bytes(const struct rewinding *rewinding)
{
    return sizeof(*rewinding) + rewinding->bytes;
}

static void end(struct rewinding *rewinding)
{
    struct client *client = rewinding->client;
    size_t bytes = held_bytes(rewinding);

    rewinding_free(rewinding);
    client_call_end(client, bytes);
}

static void fail(struct rewinding *rewinding, int code, const char *why)
{
    if (!client_is_closed(rewinding->client))
        sender_close(&rewinding->client->sender, code, why);
    end(rewinding);
}

static void finish(struct rewinding *rewinding)
{
    struct client *client = rewinding->client;

    if (!progress_bring_found(client->sender.progress, &rewinding->found)) {
        fail(rewinding, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    rewinding->fn(client);
    end(rewinding);
}

/* One key after the other. */

static void put(struct rewinding *rewinding, const struct position *position)
{
    struct notify_str key = key_at(rewinding, rewinding->at);

    /* Two keys of one hash cannot both be followed: he is told then. */
    (void)bookmark_put(&rewinding->found, (struct bookmark_key){.hash = bookmark_hash_key(key),
                                                                .position = *position});
}

static void on_reply(void *ctx, const struct resp *reply);

static bool on_turn(void *ctx)
{
    struct rewinding *rewinding = ctx;

    sender_call_goes_on(&rewinding->client->sender);
    return !client_is_closed(rewinding->client);
}

/* False: it could not be asked. */
static bool ask(struct rewinding *rewinding)
{
    struct notify_str words[REWIND_WORDS_MAX];
    const struct turn turn = {
        .argc = rewind_search_words(&rewinding->search, key_at(rewinding, rewinding->at), words),
        .argv = words,
        .reply_bytes = REWIND_REPLY_BYTES,
        .fn = on_reply,
        .on_turn = on_turn,
        .ctx = rewinding};
    int ret = turns_command(rewinding->client->shared->commands, &turn);

    if (ret == 1)
        sender_call_waits(&rewinding->client->sender);
    return ret >= 0;
}

/* On to the next key whose begin is not known. */
static void go_on(struct rewinding *rewinding)
{
    const struct progress *progress = rewinding->client->sender.progress;
    struct position position;

    for (; rewinding->at < rewinding->len; rewinding->at++) {
        if (progress_find(progress, key_at(rewinding, rewinding->at), &position)) {
            put(rewinding, &position);
            continue;
        }
        rewind_search_begin(&rewinding->search, &rewinding->wish);
        if (!ask(rewinding))
            fail(rewinding, CONN_CLOSE_TRY_AGAIN, "Redis is away");
        return;
    }
    finish(rewinding);
}

/* It will be no other if it is asked again: the key begins now. */
static void pass_over(struct rewinding *rewinding, const struct resp *reply)
{
    log_debug("not_rewound", "text", reply->kind == RESP_ERROR ? reply->str.ptr : "strange reply");
    client_tell_error(rewinding->client, key_at(rewinding, rewinding->at), "PROCESSING_ERROR",
                      "its newest entries cannot be read: it is followed from now on");
    rewinding->at++;
    go_on(rewinding);
}

static void take(struct rewinding *rewinding, const struct resp *reply)
{
    switch (rewind_search_take(&rewinding->search, reply)) {
    case REWIND_ON:
        if (!ask(rewinding))
            fail(rewinding, CONN_CLOSE_TRY_AGAIN, "Redis is away");
        break;
    case REWIND_FOUND:
        put(rewinding, &rewinding->search.from);
        rewinding->at++;
        go_on(rewinding);
        break;
    case REWIND_STRANGE:
        pass_over(rewinding, reply);
        break;
    }
}

static void on_reply(void *ctx, const struct resp *reply)
{
    struct rewinding *rewinding = ctx;

    if (client_is_closed(rewinding->client))
        end(rewinding);
    else if (reply == NULL || resp_is_passing_error(reply))
        fail(rewinding, CONN_CLOSE_TRY_AGAIN, "Redis is away");
    else if (reply->kind == RESP_ERROR)
        pass_over(rewinding, reply);
    else
        take(rewinding, reply);
}

void rewinding_run(struct rewinding *rewinding, void (*fn)(struct client *client))
{
    rewinding->fn = fn;
    sender_call_begin(&rewinding->client->sender, held_bytes(rewinding));
    go_on(rewinding);
}
