#include "requests/idempotency.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/base64url.h"
#include "identity/identity.h"
#include "redis/resp.h"
#include "requests/answer.h"
#include "requests/call.h"
#include "requests/request.h"
#include "requests/responder.h"

#define REMEMBERED_MS "86400000" /* as the module remembers tokens, if it is not set otherwise */

#define HASH_BYTES 32
#define HASH_TEXT 43 /* of BASE64URL_ENCODED_LEN */

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
static bool token_of(const struct request *r, struct notify_str key, char out[HASH_TEXT])
{
    const struct notify_str nobody = {NULL, 0};
    const struct notify_str texts[] = {r->identity->anonymous ? nobody : request_user(r), key};

    return hash_texts(out, 2, texts);
}

/* A command that is sent once it is known what its key stands for. */
struct held {
    const struct call_kind *kind;
    void *ctx; /* owned until the command is sent */
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
    if (token_of(r, key, held->token) && hash_texts(held->use, words->len, words->at))
        return held;
    held_free(held);
    return NULL;
}

static bool is_same_use(const struct held *held, const struct resp *reply)
{
    return reply->kind == RESP_NIL || /* it was none before */
           notify_str_eq(resp_str(reply), notify_str_of(held->use, HASH_TEXT));
}

static void refuse(struct request *r, const struct resp *reply)
{
    if (reply == NULL)
        answer_error(r, ANSWER_UNAVAILABLE, NULL, "Redis is away; nothing was done");
    else if (reply->kind == RESP_ERROR)
        answer_failed_reply(r, reply);
    else
        answer_error(r, ANSWER_INVALID_FIELD, "idempotency_key",
                     "idempotency_key was used for something else before");
}

/* Also when who asked has gone meanwhile: without a key it would be done, too. */
static void on_looked_up(struct request *r, const struct resp *reply, void *ctx)
{
    struct held *held = ctx;

    if (reply != NULL && reply->kind != RESP_ERROR && is_same_use(held, reply)) {
        void *sent = held->ctx;
        held->ctx = NULL;
        words_add(&held->words, NOTIFY_STR("IDEMPOTENT"));
        words_add(&held->words, notify_str_of(held->token, HASH_TEXT));
        call_send(r, held->kind, sent, &held->words);
    } else if (!r->responder->is_gone(r)) {
        refuse(r, reply);
    }
    held_free(held);
}

static const struct call_kind look_up_kind = {
    .fn = on_looked_up, .release = held_free, .answer_bytes = CALL_SMALL_ANSWER, .whatever = true};

void idempotency_send(struct request *r, const struct call_kind *kind, void *ctx,
                      struct words *words, struct notify_str key)
{
    char name[sizeof(IDEMPOTENCY_KEYS) - 1 + HASH_TEXT] = IDEMPOTENCY_KEYS;
    struct words look_up = {.len = 2, .at = {NOTIFY_STR("SET"), {name, sizeof(name)}}};
    struct held *held;

    if (key.len == 0) {
        call_send(r, kind, ctx, words);
        return;
    }
    held = held_new(r, kind, ctx, words, key);
    if (held == NULL) {
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        return;
    }
    memcpy(name + sizeof(IDEMPOTENCY_KEYS) - 1, held->token, HASH_TEXT);
    words_add(&look_up, notify_str_of(held->use, HASH_TEXT));
    words_add(&look_up, NOTIFY_STR("NX"));
    words_add(&look_up, NOTIFY_STR("GET"));
    words_add_option(&look_up, NOTIFY_STR("PX"), NOTIFY_STR(REMEMBERED_MS));
    call_send(r, &look_up_kind, held, &look_up);
}
