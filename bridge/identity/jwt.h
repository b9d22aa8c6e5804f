/* jwt -- is this token good, and who does it say its bearer is? (RFC 7519, RFC 7515, RFC 8725.)
 *
 * Compact JWS only. The order of the checks is that of docs/identity.md; the peer hears one code
 * whatever was wrong, the log says which step it was. Pure: the time is given. */
#ifndef JWT_H
#define JWT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "identity/jwt_keys.h"
#include "notify_str.h"

#define JWT_HEADER_MAX 1024 /* bytes, decoded */

struct jwt_rules {
    const struct jwt_keys *keys;
    const char *issuer; /* or NULL: not looked at */
    const char *const
        *audiences;     /* NULL-terminated: one of them must be in aud; NULL: not looked at */
    size_t max_bytes;   /* of a token */
    size_t max_subject; /* bytes of sub */
    uint64_t leeway_ms; /* by which clocks may differ */
};

enum jwt_fault {
    JWT_OK,
    JWT_TOO_LONG,
    JWT_NOT_COMPACT, /* not three parts of base64url */
    JWT_BAD_HEADER,
    JWT_BAD_ALG,
    JWT_CRITICAL, /* crit, b64 or zip: extensions that are not understood */
    JWT_BAD_TYPE,
    JWT_UNKNOWN_KEY,
    JWT_WRONG_SIGNATURE,
    JWT_BAD_PAYLOAD,
    JWT_EXPIRED,
    JWT_NOT_YET,
    JWT_WRONG_ISSUER,
    JWT_WRONG_AUDIENCE,
    JWT_BAD_SUBJECT,
    JWT_NO_MEMORY,
};

/* For the log: "expired" and so on. */
const char *jwt_fault_text(enum jwt_fault fault);

struct jwt_claims {
    json_t *payload;           /* owned by the caller once the token is good */
    struct notify_str subject; /* points into payload */
    uint64_t expires_ms;       /* wall clock, without leeway */
};

/* now_ms: the wall clock. ret_kid (or NULL): the token's kid, with JWT_UNKNOWN_KEY, NUL-terminated;
 * empty when it has none. */
enum jwt_fault jwt_verify(const struct jwt_rules *rules, struct notify_str token, uint64_t now_ms,
                          struct jwt_claims *ret, char ret_kid[JWT_KID_MAX + 1]);

#endif
