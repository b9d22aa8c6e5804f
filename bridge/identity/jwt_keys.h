/* jwt_keys -- the keys that tokens are verified with (RFC 7517, RFC 7518).
 *
 * Each key is bound to the algorithms that it may be used for when it is loaded. A secret comes
 * from jwt_keys_add_secret() alone, never out of a PEM or a set: so a token cannot have a public
 * key taken for a secret. libjose turns a JWK into a key, once; it verifies nothing here, since it
 * takes an RS256 token for a key that says PS256. */
#ifndef JWT_KEYS_H
#define JWT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

#define JWT_KEYS_MAX 32         /* in one set */
#define JWT_SET_BYTES_MAX 65536 /* of a JWKS */
#define JWT_KID_MAX 256         /* bytes */
#define JWT_SECRET_MIN 32       /* bytes: RFC 7518, 3.2 */
#define JWT_RSA_BITS_MIN 2048
#define JWT_RSA_BITS_MAX 8192
#define JWT_RSA_EXPONENT_BITS_MAX 64 /* nearly all have 17: 65537 */

/* RFC 7518, 3.1. What is not here is refused, whatever a key says. */
enum jwt_alg {
    JWT_HS256,
    JWT_HS384,
    JWT_HS512,
    JWT_RS256,
    JWT_RS384,
    JWT_RS512,
    JWT_PS256,
    JWT_ES256,
    JWT_ES384,
    JWT_ALG_COUNT,
};

/* By its exact name. False: none of these. */
bool jwt_alg_find(struct notify_str name, enum jwt_alg *ret);

struct jwt_keys;

/* An empty set; one reference. NULL: out of memory. */
struct jwt_keys *jwt_keys_new(void);
struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys);
struct jwt_keys *jwt_keys_unref(struct jwt_keys *keys); /* returns NULL */
size_t jwt_keys_count(const struct jwt_keys *keys);

/* All of these add to the set: 0, or -EINVAL with *ret_why (static text), or -ENOMEM. */

/* The bytes of secret are the key as they are. */
int jwt_keys_add_secret(struct jwt_keys *keys, struct notify_str secret, const char **ret_why);
/* Public keys and certificates, one block behind the other. A private key is refused. */
int jwt_keys_add_pem(struct jwt_keys *keys, struct notify_str text, const char **ret_why);
/* A JWK set; *ret_skipped: those of its keys that are for something else or not usable. At least
 * one must be. */
int jwt_keys_add_set(struct jwt_keys *keys, struct notify_str json, unsigned *ret_skipped,
                     const char **ret_why);
/* Everything that other has. */
int jwt_keys_add_all(struct jwt_keys *keys, const struct jwt_keys *other);

/* Has it a key of that id? */
bool jwt_keys_has(const struct jwt_keys *keys, struct notify_str kid);

enum jwt_check {
    JWT_GOOD,
    JWT_BAD_SIGNATURE,
    JWT_NO_KEY, /* none that alg may use, or none of that kid: a newer set may have it */
};
/* Whether signature is that of text by one of the keys that alg may use, at most four of them:
 * those with this kid, or, with kid.ptr NULL, all. A secret or a key of a PEM file has no name and
 * is tried for any. */
enum jwt_check jwt_keys_verify(const struct jwt_keys *keys, enum jwt_alg alg, struct notify_str kid,
                               struct notify_str text, struct notify_str signature);

#endif
