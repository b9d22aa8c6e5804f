#include "identity/jwt_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <jose/openssl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/number.h"
#include "wire/json_text.h"

#define TRIES_WITHOUT_KID 4
#define HASH_MAX_BYTES 64
#define EC_PART_MAX 48 /* bytes of r and of s */
#define EC_DER_MAX 160 /* of a signature of that size in DER */

enum family { FAMILY_HS, FAMILY_RS, FAMILY_PS, FAMILY_ES };

struct alg {
    const char *name, *hash;
    enum family family;
    size_t size;       /* HS: of the hash, ES: of r and of s; in bytes */
    const char *curve; /* ES: as OpenSSL calls it */
};

static const struct alg algs[JWT_ALG_COUNT] = {
    [JWT_HS256] = {"HS256", "SHA256", FAMILY_HS, 32, NULL},
    [JWT_HS384] = {"HS384", "SHA384", FAMILY_HS, 48, NULL},
    [JWT_HS512] = {"HS512", "SHA512", FAMILY_HS, 64, NULL},
    [JWT_RS256] = {"RS256", "SHA256", FAMILY_RS, 0, NULL},
    [JWT_RS384] = {"RS384", "SHA384", FAMILY_RS, 0, NULL},
    [JWT_RS512] = {"RS512", "SHA512", FAMILY_RS, 0, NULL},
    [JWT_PS256] = {"PS256", "SHA256", FAMILY_PS, 0, NULL},
    [JWT_ES256] = {"ES256", "SHA256", FAMILY_ES, 32, "prime256v1"},
    [JWT_ES384] = {"ES384", "SHA384", FAMILY_ES, 48, "secp384r1"},
};

/* Either pkey or secret. */
struct jwt_key {
    EVP_PKEY *pkey;        /* owned */
    unsigned char *secret; /* owned */
    size_t secret_len;
    EVP_MAC_CTX
    *macs[JWT_HS512 + 1]; /* owned; made when first needed: half the cost of each check */
    char *kid;            /* owned; or NULL */
    bool any_kid;         /* a secret or of a PEM file: nobody could have told us its name */
    uint32_t algs;        /* what it may verify, a bit for each */
};

struct jwt_keys {
    unsigned refs;
    size_t len;
    struct jwt_key at[JWT_KEYS_MAX];
};

bool jwt_alg_find(struct notify_str name, enum jwt_alg *ret)
{
    for (size_t i = 0; i < JWT_ALG_COUNT; i++)
        if (notify_str_eq(name, notify_str_z(algs[i].name))) {
            *ret = (enum jwt_alg)i;
            return true;
        }
    return false;
}

struct jwt_keys *jwt_keys_new(void)
{
    struct jwt_keys *keys = calloc(1, sizeof(*keys));

    if (keys != NULL)
        keys->refs = 1;
    return keys;
}

struct jwt_keys *jwt_keys_ref(struct jwt_keys *keys)
{
    keys->refs++;
    return keys;
}

static void release_key(struct jwt_key *key)
{
    for (size_t i = 0; i <= JWT_HS512; i++)
        EVP_MAC_CTX_free(key->macs[i]);
    EVP_PKEY_free(key->pkey);
    if (key->secret != NULL)
        OPENSSL_cleanse(key->secret, key->secret_len);
    free(key->secret);
    free(key->kid);
}

struct jwt_keys *jwt_keys_unref(struct jwt_keys *keys)
{
    if (keys == NULL || --keys->refs > 0)
        return NULL;
    for (size_t i = 0; i < keys->len; i++)
        release_key(&keys->at[i]);
    free(keys);
    return NULL;
}

size_t jwt_keys_count(const struct jwt_keys *keys)
{
    return keys->len;
}

static int refuse(const char **ret_why, const char *why)
{
    ERR_clear_error();
    *ret_why = why;
    return -EINVAL;
}

/* Takes pkey over. kid: or NULL. */
static int add_key(struct jwt_keys *keys, struct jwt_key key, const char *kid, const char **ret_why)
{
    if (keys->len == JWT_KEYS_MAX) {
        release_key(&key);
        return refuse(ret_why, "there are more than " TEXT_OF(JWT_KEYS_MAX) " keys");
    }
    if (kid != NULL) {
        key.kid = strdup(kid);
        if (key.kid == NULL) {
            release_key(&key);
            return -ENOMEM;
        }
    }
    keys->at[keys->len++] = key;
    return 0;
}

int jwt_keys_add_secret(struct jwt_keys *keys, struct notify_str secret, const char **ret_why)
{
    struct jwt_key key = {.secret_len = secret.len, .any_kid = true};

    if (secret.len < JWT_SECRET_MIN)
        return refuse(ret_why, "the secret is shorter than " TEXT_OF(
                                   JWT_SECRET_MIN) " bytes (RFC 7518, 3.2)");
    for (size_t i = JWT_HS256; i <= JWT_HS512; i++)
        if (secret.len >= algs[i].size)
            key.algs |= 1U << i;
    key.secret = malloc(secret.len);
    if (key.secret == NULL)
        return -ENOMEM;
    memcpy(key.secret, secret.ptr, secret.len);
    return add_key(keys, key, NULL, ret_why);
}

/* With an exponent of 1 everybody can sign; with a long one a check takes a hundred times as long.
 */
static bool is_good_exponent(const EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    bool good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) && BN_is_odd(e) &&
                !BN_is_one(e) && BN_num_bits(e) <= JWT_RSA_EXPONENT_BITS_MAX;

    BN_free(e);
    return good;
}

static bool is_good_rsa(const EVP_PKEY *pkey)
{
    int bits = EVP_PKEY_get_bits(pkey);

    return bits >= JWT_RSA_BITS_MIN && bits <= JWT_RSA_BITS_MAX && is_good_exponent(pkey);
}

/* What a public key may be used for by what it is: 0 for nothing of ours. */
static uint32_t algs_of(EVP_PKEY *pkey)
{
    char curve[64];
    size_t len;

    if (EVP_PKEY_is_a(pkey, "RSA"))
        return !is_good_rsa(pkey)
                   ? 0
                   : 1U << JWT_RS256 | 1U << JWT_RS384 | 1U << JWT_RS512 | 1U << JWT_PS256;
    if (!EVP_PKEY_is_a(pkey, "EC") || !EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), &len))
        return 0;
    for (size_t i = 0; i < JWT_ALG_COUNT; i++)
        if (algs[i].curve != NULL && strcmp(algs[i].curve, curve) == 0)
            return 1U << i;
    return 0;
}

/* One block of a PEM file. Takes pkey over. */
static int add_pem_key(struct jwt_keys *keys, EVP_PKEY *pkey, const char **ret_why)
{
    struct jwt_key key = {.pkey = pkey, .algs = pkey == NULL ? 0 : algs_of(pkey), .any_kid = true};

    if (key.algs != 0)
        return add_key(keys, key, NULL, ret_why);
    release_key(&key);
    return refuse(ret_why, "a key in it is neither RSA of 2048 to 8192 bits, with an odd exponent "
                           "from 3 to 64 bits, nor on P-256 or P-384");
}

static int add_pem_block(struct jwt_keys *keys, const char *name, const unsigned char *der,
                         long len, const char **ret_why)
{
    if (strcmp(name, PEM_STRING_PUBLIC) == 0)
        return add_pem_key(keys, d2i_PUBKEY(NULL, &der, len), ret_why);
    if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0)
        return add_pem_key(keys, d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, len), ret_why);
    if (strcmp(name, PEM_STRING_X509) == 0) {
        X509 *certificate = d2i_X509(NULL, &der, len);
        EVP_PKEY *pkey = certificate == NULL ? NULL : X509_get_pubkey(certificate);
        X509_free(certificate);
        return add_pem_key(keys, pkey, ret_why);
    }
    if (strstr(name, "PRIVATE KEY") != NULL)
        return refuse(ret_why, "it holds a private key; the public one is needed");
    return refuse(ret_why, "it holds something else than public keys and certificates");
}

int jwt_keys_add_pem(struct jwt_keys *keys, struct notify_str text, const char **ret_why)
{
    BIO *bio = text.len > JWT_SET_BYTES_MAX ? NULL : BIO_new_mem_buf(text.ptr, (int)text.len);
    char *name, *header;
    unsigned char *der;
    size_t before = keys->len;
    long len;
    int status = 0;

    if (bio == NULL)
        return refuse(ret_why, "it is longer than " TEXT_OF(JWT_SET_BYTES_MAX) " bytes");
    while (status == 0 && PEM_read_bio(bio, &name, &header, &der, &len)) {
        status = add_pem_block(keys, name, der, len, ret_why);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the last block is followed by none */
    if (status == 0 && keys->len == before)
        return refuse(ret_why, "no public key in PEM form is in it");
    return status;
}

/* JWK. */

/* RFC 7517, 4.2 and 4.3: for signatures, or nothing is said. */
static bool is_for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
    size_t i;

    if (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (ops == NULL)
        return true;
    json_array_foreach(ops, i, op)
    {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            return true;
    }
    return false;
}

/* What the JWK itself says it is for: everything if it says nothing. */
static uint32_t algs_named(const json_t *jwk)
{
    const json_t *name = json_object_get(jwk, "alg");
    enum jwt_alg alg;

    if (name == NULL)
        return UINT32_MAX;
    if (!json_is_string(name) || !jwt_alg_find(json_text_of(name), &alg))
        return 0;
    return 1U << alg;
}

static bool is_public_kind(const json_t *jwk)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));

    return kty != NULL && (strcmp(kty, "RSA") == 0 || strcmp(kty, "EC") == 0);
}

/* The key of a JWK with what it may verify; .pkey NULL: it is of no use here. */
static struct jwt_key key_of_jwk(const json_t *jwk)
{
    const json_t *kid = json_object_get(jwk, "kid");
    struct jwt_key key = {.pkey = NULL};

    if (!json_is_object(jwk) || !is_public_kind(jwk) || !is_for_signatures(jwk) ||
        (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > JWT_KID_MAX)))
        return key;
    key.pkey = jose_openssl_jwk_to_EVP_PKEY(NULL, jwk);
    key.algs = key.pkey == NULL ? 0 : algs_of(key.pkey) & algs_named(jwk);
    if (key.algs != 0)
        return key;
    release_key(&key);
    ERR_clear_error();
    return (struct jwt_key){.pkey = NULL};
}

static int add_jwks(struct jwt_keys *keys, const json_t *list, unsigned *ret_skipped,
                    const char **ret_why)
{
    size_t before = keys->len, i;
    const json_t *jwk;
    int status = 0;

    *ret_skipped = 0;
    json_array_foreach(list, i, jwk)
    {
        struct jwt_key key = key_of_jwk(jwk);

        if (key.pkey == NULL) {
            ++*ret_skipped;
            continue;
        }
        status = add_key(keys, key, json_string_value(json_object_get(jwk, "kid")), ret_why);
        if (status != 0)
            return status;
    }
    return keys->len > before ? 0 : refuse(ret_why, "none of its keys can verify a signature");
}

int jwt_keys_add_set(struct jwt_keys *keys, struct notify_str json, unsigned *ret_skipped,
                     const char **ret_why)
{
    json_t *set, *list;
    int status;

    if (json.len > JWT_SET_BYTES_MAX)
        return refuse(ret_why, "it is longer than " TEXT_OF(JWT_SET_BYTES_MAX) " bytes");
    set = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(set, "keys");
    if (!json_is_array(list) || json_array_size(list) > JWT_KEYS_MAX)
        status = refuse(ret_why, "it is no JSON object with an array \"keys\" of at most " TEXT_OF(
                                     JWT_KEYS_MAX) " keys");
    else
        status = add_jwks(keys, list, ret_skipped, ret_why);
    json_decref(set);
    return status;
}

int jwt_keys_add_all(struct jwt_keys *keys, const struct jwt_keys *other)
{
    for (size_t i = 0; i < other->len; i++) {
        const struct jwt_key *from = &other->at[i];
        struct jwt_key key = {.algs = from->algs, .any_kid = from->any_kid};
        const char *why;
        int status;

        if (from->secret != NULL) {
            status = jwt_keys_add_secret(
                keys, notify_str_of((const char *)from->secret, from->secret_len), &why);
        } else {
            if (!EVP_PKEY_up_ref(from->pkey))
                return -ENOMEM;
            key.pkey = from->pkey;
            status = add_key(keys, key, from->kid, &why);
        }
        if (status != 0)
            return status;
    }
    return 0;
}

bool jwt_keys_has(const struct jwt_keys *keys, struct notify_str kid)
{
    for (size_t i = 0; i < keys->len; i++)
        if (keys->at[i].kid != NULL && notify_str_eq(kid, notify_str_z(keys->at[i].kid)))
            return true;
    return false;
}

/* Verifying. */

static const unsigned char *bytes_of(struct notify_str text)
{
    return (const unsigned char *)text.ptr;
}

static EVP_MAC_CTX *mac_new(const struct jwt_key *key, const struct alg *alg)
{
    char hash[16];
    OSSL_PARAM params[2];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

    (void)snprintf(hash, sizeof(hash), "%s", alg->hash);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0);
    params[1] = OSSL_PARAM_construct_end();
    EVP_MAC_free(mac);
    if (ctx != NULL && EVP_MAC_init(ctx, key->secret, key->secret_len, params))
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

static bool verify_secret(struct jwt_key *key, enum jwt_alg alg, struct notify_str text,
                          struct notify_str signature)
{
    EVP_MAC_CTX **ctx = &key->macs[alg];
    unsigned char made[HASH_MAX_BYTES];
    size_t len = 0;

    if (signature.len != algs[alg].size)
        return false;
    if (*ctx == NULL)
        *ctx = mac_new(key, &algs[alg]);
    return *ctx != NULL && EVP_MAC_init(*ctx, NULL, 0, NULL) &&
           EVP_MAC_update(*ctx, bytes_of(text), text.len) &&
           EVP_MAC_final(*ctx, made, &len, sizeof(made)) && len == signature.len &&
           CRYPTO_memcmp(made, signature.ptr, len) == 0;
}

/* JWS has r and s side by side (RFC 7518, 3.4), OpenSSL wants them in DER. 0: not of that size. */
static size_t der_of(const struct alg *alg, struct notify_str signature,
                     unsigned char out[EC_DER_MAX])
{
    ECDSA_SIG *pair = signature.len == 2 * alg->size ? ECDSA_SIG_new() : NULL;
    BIGNUM *r = pair == NULL ? NULL : BN_bin2bn(bytes_of(signature), (int)alg->size, NULL);
    BIGNUM *s =
        pair == NULL ? NULL : BN_bin2bn(bytes_of(signature) + alg->size, (int)alg->size, NULL);
    int len = 0;

    if (r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s)) {
        if (i2d_ECDSA_SIG(pair, NULL) <= EC_DER_MAX)
            len = i2d_ECDSA_SIG(pair, &out);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

/* RFC 7518, 3.5: the salt is as long as the hash. */
static bool set_padding(EVP_PKEY_CTX *ctx, enum family family)
{
    if (family != FAMILY_PS)
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool verify_public(EVP_PKEY *pkey, const struct alg *alg, struct notify_str text,
                          struct notify_str signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL; /* of ctx */
    unsigned char der[EC_DER_MAX];
    bool good = false;

    if (alg->family == FAMILY_ES) {
        signature.len = der_of(alg, signature, der);
        signature.ptr = (const char *)der;
    }
    if (ctx != NULL && signature.len > 0 &&
        EVP_DigestVerifyInit_ex(ctx, &pkey_ctx, alg->hash, NULL, NULL, pkey, NULL) > 0 &&
        set_padding(pkey_ctx, alg->family))
        good = EVP_DigestVerify(ctx, bytes_of(signature), signature.len, bytes_of(text),
                                text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

static bool may_have_signed(const struct jwt_key *key, enum jwt_alg alg, struct notify_str kid)
{
    if (!(key->algs >> alg & 1))
        return false;
    return kid.ptr == NULL || key->any_kid ||
           (key->kid != NULL && notify_str_eq(kid, notify_str_z(key->kid)));
}

enum jwt_check jwt_keys_verify(const struct jwt_keys *keys, enum jwt_alg alg, struct notify_str kid,
                               struct notify_str text, struct notify_str signature)
{
    unsigned tries = 0;

    for (size_t i = 0; i < keys->len && tries < TRIES_WITHOUT_KID; i++) {
        struct jwt_key *key = (struct jwt_key *)&keys->at[i]; /* only its scratch is changed */

        if (!may_have_signed(key, alg, kid))
            continue;
        tries++;
        if (key->secret != NULL ? verify_secret(key, alg, text, signature)
                                : verify_public(key->pkey, &algs[alg], text, signature))
            return JWT_GOOD;
    }
    return tries == 0 || (kid.ptr != NULL && !jwt_keys_has(keys, kid)) ? JWT_NO_KEY
                                                                       : JWT_BAD_SIGNATURE;
}
