#include "identity/jwt.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64url.h"
#include "wire/json_text.h"

#define SECONDS_MAX 9007199254740992.0 /* 2^53: beyond it a JSON number names no single second */
#define SIGNATURE_MAX 1024             /* bytes: RSA of 8192 bits */

const char *jwt_fault_text(enum jwt_fault fault)
{
    static const char *const texts[] = {
        [JWT_OK] = "ok",
        [JWT_TOO_LONG] = "too long",
        [JWT_NOT_COMPACT] = "not three parts of base64url",
        [JWT_BAD_HEADER] = "malformed header",
        [JWT_BAD_ALG] = "algorithm not allowed",
        [JWT_CRITICAL] = "critical extension",
        [JWT_BAD_TYPE] = "typ is not JWT",
        [JWT_UNKNOWN_KEY] = "no key for it",
        [JWT_WRONG_SIGNATURE] = "wrong signature",
        [JWT_BAD_PAYLOAD] = "malformed payload",
        [JWT_EXPIRED] = "expired",
        [JWT_NOT_YET] = "not valid yet",
        [JWT_WRONG_ISSUER] = "wrong issuer",
        [JWT_WRONG_AUDIENCE] = "wrong audience",
        [JWT_BAD_SUBJECT] = "sub missing or too long",
        [JWT_NO_MEMORY] = "out of memory",
    };

    return texts[fault];
}

/* The three parts, still encoded. */
struct parts {
    struct notify_str header, payload, signature;
    struct notify_str text; /* what is signed: header and payload with the dot between them */
};

static bool split(struct notify_str token, struct parts *ret)
{
    const char *end = token.ptr + token.len;
    const char *first = token.len == 0 ? NULL : memchr(token.ptr, '.', token.len);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));

    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return false;
    ret->header = notify_str_of(token.ptr, (size_t)(first - token.ptr));
    ret->payload = notify_str_of(first + 1, (size_t)(second - first - 1));
    ret->signature = notify_str_of(second + 1, (size_t)(end - second - 1));
    ret->text = notify_str_of(token.ptr, (size_t)(second - token.ptr));
    return ret->header.len > 0 && ret->payload.len > 0 && ret->signature.len > 0;
}

/* The JSON object of a part. NULL: none. */
static json_t *decode(struct notify_str part)
{
    uint8_t *bytes = malloc(BASE64URL_DECODED_MAX(part.len));
    ssize_t len = bytes == NULL ? -1 : base64url_decode(bytes, part);
    json_t *object =
        len < 0 ? NULL : json_loadb((const char *)bytes, (size_t)len, JSON_REJECT_DUPLICATES, NULL);

    free(bytes);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

struct header {
    enum jwt_alg alg;
    struct notify_str kid; /* ptr NULL: none */
};

static bool is_good_type(const json_t *typ)
{
    const char *text = json_string_value(typ);

    return typ == NULL ||
           (text != NULL && (strcasecmp(text, "JWT") == 0 || strcasecmp(text, "at+jwt") == 0));
}

/* jku, x5u, jwk and x5c offer keys: whoever forges a token would offer its own, so none is looked
 * at. */
static enum jwt_fault read_header(const json_t *object, struct header *ret)
{
    const json_t *alg = json_object_get(object, "alg"), *kid = json_object_get(object, "kid");

    if (object == NULL || (kid != NULL && (!json_is_string(kid) || json_string_length(kid) == 0 ||
                                           json_string_length(kid) > JWT_KID_MAX)))
        return JWT_BAD_HEADER;
    if (!json_is_string(alg) || !jwt_alg_find(json_text_of(alg), &ret->alg))
        return JWT_BAD_ALG;
    if (json_object_get(object, "crit") != NULL || json_object_get(object, "b64") != NULL ||
        json_object_get(object, "zip") != NULL)
        return JWT_CRITICAL;
    if (!is_good_type(json_object_get(object, "typ")))
        return JWT_BAD_TYPE;
    ret->kid = json_text_of(kid);
    return JWT_OK;
}

static enum jwt_fault check_signature(const struct jwt_keys *keys, const struct header *header,
                                      const struct parts *parts)
{
    uint8_t bytes[BASE64URL_DECODED_MAX(BASE64URL_ENCODED_LEN(SIGNATURE_MAX))];
    ssize_t len = parts->signature.len > BASE64URL_ENCODED_LEN(SIGNATURE_MAX)
                      ? -1
                      : base64url_decode(bytes, parts->signature);

    if (len < 0)
        return JWT_NOT_COMPACT;
    switch (jwt_keys_verify(keys, header->alg, header->kid, parts->text,
                            notify_str_of((const char *)bytes, (size_t)len))) {
    case JWT_GOOD:
        return JWT_OK;
    case JWT_NO_KEY:
        return JWT_UNKNOWN_KEY;
    default:
        return JWT_WRONG_SIGNATURE;
    }
}

/* A NumericDate (RFC 7519, 2), which may have a fraction. False: it is none. */
static bool read_time(const json_t *value, uint64_t *ret_ms)
{
    double seconds = json_number_value(value);

    if (!json_is_number(value) || !(seconds >= 0) || seconds > SECONDS_MAX)
        return false;
    *ret_ms = (uint64_t)(seconds * 1000);
    return true;
}

static enum jwt_fault check_times(const struct jwt_rules *rules, const json_t *payload,
                                  uint64_t now_ms, uint64_t *ret_expires_ms)
{
    const json_t *nbf = json_object_get(payload, "nbf");
    uint64_t not_before_ms = 0;

    if (!read_time(json_object_get(payload, "exp"), ret_expires_ms) ||
        (nbf != NULL && !read_time(nbf, &not_before_ms)))
        return JWT_BAD_PAYLOAD;
    if (*ret_expires_ms + rules->leeway_ms <= now_ms)
        return JWT_EXPIRED;
    return not_before_ms > now_ms + rules->leeway_ms ? JWT_NOT_YET : JWT_OK;
}

static bool is_one_of(const json_t *text, const char *const *names)
{
    for (; json_is_string(text) && *names != NULL; names++)
        if (notify_str_eq(json_text_of(text), notify_str_z(*names)))
            return true;
    return false;
}

/* aud is a string, or an array of strings (RFC 7519, 4.1.3). */
static bool is_for_us(const json_t *aud, const char *const *names)
{
    const json_t *one;
    size_t i;

    json_array_foreach(aud, i, one)
    {
        if (is_one_of(one, names))
            return true;
    }
    return is_one_of(aud, names);
}

static enum jwt_fault check_claims(const struct jwt_rules *rules, uint64_t now_ms,
                                   struct jwt_claims *claims)
{
    const json_t *payload = claims->payload, *sub = json_object_get(payload, "sub");
    enum jwt_fault fault = check_times(rules, payload, now_ms, &claims->expires_ms);

    if (fault != JWT_OK)
        return fault;
    if (rules->issuer != NULL &&
        !notify_str_eq(json_text_of(json_object_get(payload, "iss")), notify_str_z(rules->issuer)))
        return JWT_WRONG_ISSUER;
    if (rules->audiences != NULL && !is_for_us(json_object_get(payload, "aud"), rules->audiences))
        return JWT_WRONG_AUDIENCE;
    claims->subject = json_text_of(sub);
    return claims->subject.len > 0 && claims->subject.len <= rules->max_subject ? JWT_OK
                                                                                : JWT_BAD_SUBJECT;
}

/* Reads the payload of a token whose signature is good. */
static enum jwt_fault read_payload(const struct jwt_rules *rules, struct notify_str part,
                                   uint64_t now_ms, struct jwt_claims *ret)
{
    enum jwt_fault fault;

    ret->payload = decode(part);
    if (ret->payload == NULL)
        return JWT_BAD_PAYLOAD;
    fault = check_claims(rules, now_ms, ret);
    if (fault == JWT_OK)
        return JWT_OK;
    json_decref(ret->payload);
    ret->payload = NULL;
    return fault;
}

static void copy_kid(char out[JWT_KID_MAX + 1], struct notify_str kid)
{
    if (kid.len > 0)
        memcpy(out, kid.ptr, kid.len);
    out[kid.len] = '\0';
}

enum jwt_fault jwt_verify(const struct jwt_rules *rules, struct notify_str token, uint64_t now_ms,
                          struct jwt_claims *ret, char ret_kid[JWT_KID_MAX + 1])
{
    struct parts parts;
    struct header header;
    json_t *object;
    enum jwt_fault fault;

    *ret = (struct jwt_claims){.payload = NULL};
    if (token.len > rules->max_bytes)
        return JWT_TOO_LONG;
    if (!split(token, &parts))
        return JWT_NOT_COMPACT;
    object = BASE64URL_DECODED_MAX(parts.header.len) > JWT_HEADER_MAX ? NULL : decode(parts.header);
    fault = read_header(object, &header);
    if (fault == JWT_OK)
        fault = check_signature(rules->keys, &header, &parts);
    if (fault == JWT_UNKNOWN_KEY && ret_kid != NULL)
        copy_kid(ret_kid, header.kid);
    json_decref(object);
    return fault == JWT_OK ? read_payload(rules, parts.payload, now_ms, ret) : fault;
}
