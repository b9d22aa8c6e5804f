#include "requests/idempotency.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/base64url.h"
#include "base/counters.h"
#include "base/number.h"
#include "identity/identity.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/responder.h"

#define REMEMBERED_MS "86400000" /* as the module remembers tokens, if it is not set otherwise */
#define KEPT_MAX 1000            /* of each user; and so the module does */

#define HASH_BYTES 32
#define HASH_TEXT 43 /* of BASE64URL_ENCODED_LEN */
#define KEY_LEN (sizeof(IDEMPOTENCY_BOXES) - 1 + HASH_TEXT)

/* SHA-256 of texts, each behind its length: other texts have other hashes. */
static bool hash_texts(char out[HASH_TEXT], size_t len, const struct notify_str *texts)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; good && i < len; i++) {
        uint64_t bytes = texts[i].len;
        good = EVP_DigestUpdate(md, &bytes, sizeof(bytes)) == 1 &&
               EVP_DigestUpdate(md, texts[i].ptr, texts[i].len) == 1;
    }
    good = good && EVP_DigestFinal_ex(md, hash, NULL) == 1;
    EVP_MD_CTX_free(md);
    if (good)
        (void)base64url_encode(out, hash, HASH_BYTES);
    return good;
}

/* Those who bring no token are one: the names that they have are new each time. */
static struct notify_str owner_of(const struct request *r)
{
    return r->identity->anonymous ? (struct notify_str){NULL, 0} : request_user(r);
}

/* A command that is sent once it is known what its key stands for. */
struct held {
    const struct call_kind *kind;
    void *ctx;         /* owned until the command is sent */
    char box[KEY_LEN]; /* what the user's keys stand for */
    char token[HASH_TEXT], use[HASH_TEXT];
    struct words words; /* in bytes */
    char bytes[];
};

static void held_free(void *ctx)
{
    struct held *held = ctx;

    if (held->ctx != NULL && held->kind->release != NULL)
        held->kind->release(held->ctx);
    free(held);
}

static void keep_words(struct held *held, const struct words *words)
{
    char *to = held->bytes;

    for (size_t i = 0; i < words->len; i++) {
        if (words->at[i].len > 0)
            memcpy(to, words->at[i].ptr, words->at[i].len);
        words_add(&held->words, notify_str_of(to, words->at[i].len));
        to += words->at[i].len;
    }
}

/* Takes ctx over. NULL: out of memory. */
static struct held *held_new(const struct request *r, const struct call_kind *kind, void *ctx,
                             const struct words *words, struct notify_str key)
{
    const struct notify_str whose[2] = {owner_of(r), key};
    size_t bytes = 0;
    struct held *held;

    for (size_t i = 0; i < words->len; i++)
        bytes += words->at[i].len;
    held = calloc(1, sizeof(*held) + bytes);
    if (held == NULL) {
        if (ctx != NULL && kind->release != NULL)
            kind->release(ctx);
        return NULL;
    }
    held->kind = kind;
    held->ctx = ctx;
    keep_words(held, words);
    memcpy(held->box, IDEMPOTENCY_BOXES, sizeof(IDEMPOTENCY_BOXES) - 1);
    if (hash_texts(held->box + sizeof(IDEMPOTENCY_BOXES) - 1, 1, whose) &&
        hash_texts(held->token, 2, whose) && hash_texts(held->use, words->len, words->at))
        return held;
    held_free(held);
    return NULL;
}

/* Redis has not said what the key stands for. */
static void give_up(struct request *r, const struct resp *reply)
{
    if (r->responder->is_gone(r))
        return;
    if (reply == NULL)
        answer_error(r, ANSWER_UNAVAILABLE, NULL, "Redis is away; nothing was done");
    else
        answer_failed_reply(r, reply);
}

static void refuse(struct request *r)
{
    if (!r->responder->is_gone(r))
        answer_error(r, ANSWER_INVALID_FIELD, "idempotency_key",
                     "idempotency_key was used for something else before");
}

/* What it was first used for; empty: that is not kept any more. */
static struct notify_str first_use(const struct resp *entries)
{
    const struct resp *entry =
        entries->kind == RESP_ARRAY && entries->len == 1 ? entries->items[0] : NULL;

    if (entry == NULL || entry->kind != RESP_ARRAY || entry->len < 2)
        return (struct notify_str){NULL, 0};
    return resp_str(resp_member(entry->items[1], "title"));
}

static bool is_same_use(const struct held *held, const struct resp *entries)
{
    struct notify_str use = first_use(entries);

    return use.len == 0 || notify_str_eq(use, notify_str_of(held->use, HASH_TEXT));
}

static void send_held(struct request *r, struct held *held)
{
    void *sent = held->ctx;

    held->ctx = NULL;
    words_add(&held->words, NOTIFY_STR("IDEMPOTENT"));
    words_add(&held->words, notify_str_of(held->token, HASH_TEXT));
    call_send(r, held->kind, sent, &held->words);
}

/* Also when who asked has gone meanwhile: without a key it would be done, too. */
static void on_looked_up(struct request *r, const struct resp *entries, void *ctx)
{
    struct held *held = ctx;

    if (entries == NULL || entries->kind == RESP_ERROR)
        give_up(r, entries);
    else if (is_same_use(held, entries))
        send_held(r, held);
    else
        refuse(r);
    held_free(held);
}

static const struct call_kind look_up_kind = {
    .fn = on_looked_up, .release = held_free, .answer_bytes = CALL_SMALL_ANSWER, .whatever = true};

static void look_up(struct request *r, struct held *held, struct notify_str id)
{
    struct words words = {.len = 3,
                          .at = {NOTIFY_STR("NOTIFY.GET"), notify_str_of(held->box, KEY_LEN), id}};

    call_send(r, &look_up_kind, held, &words);
}

static void on_remembered(struct request *r, const struct resp *info, void *ctx)
{
    struct held *held = ctx;
    struct notify_str id = resp_str(resp_member(info, "id"));

    if (resp_integer(resp_member(info, "duplicate"), 0) != 0) {
        look_up(r, held, id);
        return;
    }
    if (id.len == 0)
        give_up(r, info);
    else
        send_held(r, held);
    if (resp_count(resp_member(info, "unread")) >= KEPT_MAX)
        counter_add(COUNTER_IDEMPOTENCY_KEYS, 1); /* from here on the oldest is forgotten */
    held_free(held);
}

static const struct call_kind remember_kind = {
    .fn = on_remembered, .release = held_free, .answer_bytes = CALL_SMALL_ANSWER, .whatever = true};

static void remember(struct request *r, struct held *held)
{
    struct words words = {.len = 3,
                          .at = {NOTIFY_STR("NOTIFY.SEND"), notify_str_of(held->box, KEY_LEN),
                                 notify_str_of(held->use, HASH_TEXT)}};

    words_add_option(&words, NOTIFY_STR("IDEMPOTENT"), notify_str_of(held->token, HASH_TEXT));
    words_add_option(&words, NOTIFY_STR("PX"), NOTIFY_STR(REMEMBERED_MS));
    words_add_option(&words, NOTIFY_STR("MAXLEN"), NOTIFY_STR(TEXT_OF(KEPT_MAX)));
    words_add(&words, NOTIFY_STR("NOPUBLISH"));
    words_add(&words, NOTIFY_STR("WITHINFO"));
    call_send(r, &remember_kind, held, &words);
}

void idempotency_send(struct request *r, const struct call_kind *kind, void *ctx,
                      struct words *words, struct notify_str key)
{
    struct held *held;

    if (key.len == 0) {
        call_send(r, kind, ctx, words);
        return;
    }
    held = held_new(r, kind, ctx, words, key);
    if (held == NULL)
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
    else
        remember(r, held);
}
