/* jwt and jwt_keys: tokens made here with OpenSSL, and every way that is known to make a false one.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64url.h"
#include "identity/jwt.h"

#define NOW_MS UINT64_C(1795000000000)
#define SECRET "a secret of sixty-four bytes, so that it is enough for every hash"
#define TOKEN_MAX 4096
#define GOOD_PAYLOAD "{\"sub\":\"alice\",\"exp\":1795000060}"

static struct notify_str z(const char *text)
{
    return notify_str_z(text);
}

/* ---- making tokens */

static EVP_PKEY *rsa_key(void)
{
    static EVP_PKEY *key;

    return key != NULL ? key : (key = EVP_RSA_gen(2048));
}

static EVP_PKEY *ec_key(const char *curve)
{
    static EVP_PKEY *p256, *p384;
    EVP_PKEY **key = strcmp(curve, "P-256") == 0 ? &p256 : &p384;

    return *key != NULL ? *key : (*key = EVP_EC_gen(curve));
}

static size_t put_encoded(char *out, const void *bytes, size_t len)
{
    size_t n = base64url_encode(out, bytes, len);

    out[n] = '\0';
    return n;
}

/* header.payload, encoded. */
static size_t put_text(char *out, const char *header, const char *payload)
{
    size_t len = put_encoded(out, header, strlen(header));

    out[len++] = '.';
    return len + put_encoded(out + len, payload, strlen(payload));
}

static void add_signature(char *token, const void *bytes, size_t len)
{
    size_t at = strlen(token);

    token[at++] = '.';
    put_encoded(token + at, bytes, len);
}

static const char *hs_token_by(const char *hash, struct notify_str secret, const char *header,
                               const char *payload)
{
    static char token[TOKEN_MAX];
    unsigned char mac[64];
    unsigned len;
    size_t text = put_text(token, header, payload);

    HMAC(EVP_get_digestbyname(hash), secret.ptr, (int)secret.len, (unsigned char *)token, text, mac,
         &len);
    add_signature(token, mac, len);
    return token;
}

static const char *hs_token(const char *header, const char *payload)
{
    return hs_token_by("SHA256", z(SECRET), header, payload);
}

/* r and s of a signature in DER, side by side. */
static size_t side_by_side(unsigned char *out, const unsigned char *der, size_t len, int size)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);

    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, size);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + size, size);
    ECDSA_SIG_free(pair);
    return 2 * (size_t)size;
}

/* kind: 'R' PKCS#1, 'P' PSS, 'S' PSS with a short salt, 'E' ECDSA side by side, 'D' ECDSA in DER.
 */
static const char *pk_token(char kind, EVP_PKEY *key, const char *hash, const char *header)
{
    static char token[TOKEN_MAX];
    unsigned char signature[1024], pair[128];
    size_t len = sizeof(signature), text = put_text(token, header, GOOD_PAYLOAD);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx;

    cr_assert(EVP_DigestSignInit_ex(ctx, &pkey_ctx, hash, NULL, NULL, key, NULL) > 0);
    if (kind == 'P' || kind == 'S') {
        EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, kind == 'P' ? RSA_PSS_SALTLEN_DIGEST : 20);
    }
    cr_assert(EVP_DigestSign(ctx, signature, &len, (unsigned char *)token, text) > 0);
    EVP_MD_CTX_free(ctx);
    if (kind == 'E') {
        len = side_by_side(pair, signature, len, EVP_PKEY_get_bits(key) / 8);
        memcpy(signature, pair, len);
    }
    add_signature(token, signature, len);
    return token;
}

/* ---- keys */

static char *pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *text;
    long len;

    PEM_write_bio_PUBKEY(bio, key);
    len = BIO_get_mem_data(bio, &data);
    text = strndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

static struct jwt_keys *keys_of_secret(void)
{
    struct jwt_keys *keys = jwt_keys_new();
    const char *why;

    cr_assert_eq(jwt_keys_add_secret(keys, z(SECRET), &why), 0);
    return keys;
}

static struct jwt_keys *keys_of_pem(EVP_PKEY *key)
{
    struct jwt_keys *keys = jwt_keys_new();
    char *pem = pem_of(key);
    const char *why = "";

    cr_assert_eq(jwt_keys_add_pem(keys, z(pem), &why), 0, "%s", why);
    free(pem);
    return keys;
}

/* One JWK of an RSA or EC key; more: further members, each with a comma before it. */
static void jwk_of(EVP_PKEY *key, const char *more, char *out, size_t cap)
{
    static const char *const names[2][2] = {{"n", "e"}, {"qx", "qy"}};
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    char texts[2][600];

    for (int i = 0; i < 2; i++) {
        BIGNUM *number = NULL;
        unsigned char bytes[400];
        int len;

        cr_assert(EVP_PKEY_get_bn_param(key, names[!rsa][i], &number));
        len = rsa ? BN_bn2bin(number, bytes)
                  : BN_bn2binpad(number, bytes, EVP_PKEY_get_bits(key) / 8);
        put_encoded(texts[i], bytes, (size_t)len);
        BN_free(number);
    }
    if (rsa)
        snprintf(out, cap, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", texts[0], texts[1],
                 more);
    else
        snprintf(out, cap, "{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s}",
                 EVP_PKEY_get_bits(key), texts[0], texts[1], more);
}

/* A set of one; NULL: refused. */
static struct jwt_keys *keys_of_jwk(EVP_PKEY *key, const char *more)
{
    struct jwt_keys *keys = jwt_keys_new();
    char jwk[2048], set[2100];
    const char *why;
    unsigned skipped;

    jwk_of(key, more, jwk, sizeof(jwk));
    snprintf(set, sizeof(set), "{\"keys\":[%s]}", jwk);
    return jwt_keys_add_set(keys, z(set), &skipped, &why) == 0 ? keys : jwt_keys_unref(keys);
}

/* ---- checking */

static struct jwt_rules rules_for(struct jwt_keys *keys)
{
    return (struct jwt_rules){
        .keys = keys, .max_bytes = TOKEN_MAX, .max_subject = 128, .leeway_ms = 30000};
}

/* Releases keys. */
static enum jwt_fault fault_by(struct jwt_keys *keys, const char *token)
{
    struct jwt_rules rules = rules_for(keys);
    struct jwt_claims claims;
    enum jwt_fault fault = jwt_verify(&rules, z(token), NOW_MS, &claims, NULL);

    cr_assert_eq(fault == JWT_OK, claims.payload != NULL);
    json_decref(claims.payload);
    jwt_keys_unref(keys);
    return fault;
}

static enum jwt_fault fault_of(const char *token)
{
    return fault_by(keys_of_secret(), token);
}

#define HS "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

Test(jwt, a_good_token_of_each_algorithm_is_taken)
{
    static const struct {
        const char *header, *hash, *curve;
        char kind;
    } cases[] = {{"{\"alg\":\"RS256\"}", "SHA256", NULL, 'R'},
                 {"{\"alg\":\"RS384\"}", "SHA384", NULL, 'R'},
                 {"{\"alg\":\"RS512\"}", "SHA512", NULL, 'R'},
                 {"{\"alg\":\"PS256\"}", "SHA256", NULL, 'P'},
                 {"{\"alg\":\"ES256\"}", "SHA256", "P-256", 'E'},
                 {"{\"alg\":\"ES384\"}", "SHA384", "P-384", 'E'}};

    cr_expect_eq(fault_of(hs_token(HS, GOOD_PAYLOAD)), JWT_OK);
    cr_expect_eq(fault_of(hs_token_by("SHA384", z(SECRET), "{\"alg\":\"HS384\"}", GOOD_PAYLOAD)),
                 JWT_OK);
    cr_expect_eq(fault_of(hs_token_by("SHA512", z(SECRET), "{\"alg\":\"HS512\"}", GOOD_PAYLOAD)),
                 JWT_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EVP_PKEY *key = cases[i].curve == NULL ? rsa_key() : ec_key(cases[i].curve);
        const char *token = pk_token(cases[i].kind, key, cases[i].hash, cases[i].header);

        cr_expect_eq(fault_by(keys_of_pem(key), token), JWT_OK, "%s", cases[i].header);
        cr_expect_eq(fault_by(keys_of_jwk(key, ""), token), JWT_OK, "%s", cases[i].header);
        cr_expect_eq(fault_of(token), JWT_UNKNOWN_KEY, "%s", cases[i].header);
    }
}

/* RFC 7515, A.1 and A.3: the signatures are good, so what is wrong is that they ended in 2011. */
Test(jwt, the_examples_of_the_standard_are_signed_rightly_and_expired)
{
    static const char payload[] = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                                  "cGxlLmNvbS9pc19yb290Ijp0cnVl"
                                  "fQ";
    static const char k[] =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    static const char set[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
                              "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
    struct jwt_keys *keys = jwt_keys_new();
    uint8_t secret[BASE64URL_DECODED_MAX(sizeof(k))];
    ssize_t len = base64url_decode(secret, z(k));
    char token[1024];
    unsigned skipped;
    const char *why;

    cr_assert_eq(jwt_keys_add_secret(keys, notify_str_of((const char *)secret, (size_t)len), &why),
                 0);
    cr_assert_eq(jwt_keys_add_set(keys, z(set), &skipped, &why), 0);
    snprintf(token, sizeof(token), "%s.%s.%s", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", payload,
             "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    cr_expect_eq(fault_by(jwt_keys_ref(keys), token), JWT_EXPIRED);
    snprintf(
        token, sizeof(token), "%s.%s.%s", "eyJhbGciOiJFUzI1NiJ9", payload,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    cr_expect_eq(fault_by(jwt_keys_ref(keys), token), JWT_EXPIRED);
    token[strlen(token) - 1] = 'g'; /* the last bits of the signature */
    cr_expect_eq(fault_by(keys, token), JWT_WRONG_SIGNATURE);
}

Test(jwt, a_false_header_is_refused)
{
    static const struct {
        const char *header;
        enum jwt_fault fault;
    } cases[] = {
        {"{\"alg\":\"none\"}", JWT_BAD_ALG},
        {"{\"alg\":\"None\"}", JWT_BAD_ALG},
        {"{\"alg\":\"hs256\"}", JWT_BAD_ALG},
        {"{\"alg\":\"ES256K\"}", JWT_BAD_ALG},
        {"{\"alg\":[\"HS256\"]}", JWT_BAD_ALG},
        {"{\"typ\":\"JWT\"}", JWT_BAD_ALG},
        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", JWT_BAD_HEADER},
        {"{\"alg\":\"HS256\\u0000\"}", JWT_BAD_HEADER},
        {"[]", JWT_BAD_HEADER},
        {"{\"alg\":\"HS256\"} x", JWT_BAD_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":1}", JWT_BAD_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", JWT_BAD_HEADER},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_CRITICAL},
        {"{\"alg\":\"HS256\",\"b64\":false}", JWT_CRITICAL},
        {"{\"alg\":\"HS256\",\"zip\":\"DEF\"}", JWT_CRITICAL},
        {"{\"alg\":\"HS256\",\"typ\":\"JWE\"}", JWT_BAD_TYPE},
        {"{\"alg\":\"HS256\",\"typ\":1}", JWT_BAD_TYPE},
        {"{\"alg\":\"HS256\",\"typ\":\"at+JWT\"}", JWT_OK},
        {"{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\"}", JWT_OK}, /* a secret has no name */
        {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example/\",\"jwk\":{\"kty\":\"oct\"}}", JWT_OK},
    };
    char long_header[2000];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(fault_of(hs_token(cases[i].header, GOOD_PAYLOAD)), cases[i].fault, "%s",
                     cases[i].header);
    snprintf(long_header, sizeof(long_header), "{\"alg\":\"HS256\",\"x\":\"%01100d\"}", 0);
    cr_expect_eq(fault_of(hs_token(long_header, GOOD_PAYLOAD)), JWT_BAD_HEADER);
    snprintf(long_header, sizeof(long_header), "{\"alg\":\"HS256\",\"kid\":\"%0*d\"}",
             JWT_KID_MAX + 1, 0);
    cr_expect_eq(fault_of(hs_token(long_header, GOOD_PAYLOAD)), JWT_BAD_HEADER);
}

Test(jwt, a_form_that_is_not_compact_is_refused)
{
    static const char *const texts[] = {"",     "a",       "a.b",       ".b.c",  "a..c",
                                        "a.b.", "a.b.c.d", "a.b.c.d.e", "a=.b.c"};
    char *token = strdup(hs_token(HS, GOOD_PAYLOAD));
    struct jwt_rules rules = rules_for(keys_of_secret());
    struct jwt_claims claims;
    size_t len = strlen(token);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_expect_neq(fault_of(texts[i]), JWT_OK, "%s", texts[i]);
    rules.max_bytes = len - 1;
    cr_expect_eq(jwt_verify(&rules, z(token), NOW_MS, &claims, NULL), JWT_TOO_LONG);
    jwt_keys_unref((struct jwt_keys *)rules.keys);
    token[len - 1] = '=';
    cr_expect_eq(fault_of(token), JWT_NOT_COMPACT);
    token[len - 1] = '+';
    cr_expect_eq(fault_of(token), JWT_NOT_COMPACT);
    token[len - 2] = '\0';
    cr_expect_neq(fault_of(token), JWT_OK);
    free(token);
}

Test(jwt, a_false_payload_is_refused)
{
    static const struct {
        const char *payload;
        enum jwt_fault fault;
    } cases[] = {
        {"{\"sub\":\"a\",\"exp\":1794999971}", JWT_OK}, /* within the leeway */
        {"{\"sub\":\"a\",\"exp\":1794999970}", JWT_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":1794999970.5}", JWT_OK},
        {"{\"sub\":\"a\",\"exp\":1e18}", JWT_BAD_PAYLOAD},
        {"{\"sub\":\"a\",\"exp\":1e400}", JWT_BAD_PAYLOAD},
        {"{\"sub\":\"a\",\"exp\":-1}", JWT_BAD_PAYLOAD},
        {"{\"sub\":\"a\",\"exp\":\"1795000060\"}", JWT_BAD_PAYLOAD},
        {"{\"sub\":\"a\"}", JWT_BAD_PAYLOAD},
        {"{\"sub\":\"a\",\"exp\":1795000060,\"exp\":1}", JWT_BAD_PAYLOAD},
        {"[1]", JWT_BAD_PAYLOAD},
        {"{\"sub\":\"a\",\"exp\":1795000060,\"nbf\":1795000030}", JWT_OK},
        {"{\"sub\":\"a\",\"exp\":1795000060,\"nbf\":1795000031}", JWT_NOT_YET},
        {"{\"sub\":\"a\",\"exp\":1795000060,\"nbf\":\"x\"}", JWT_BAD_PAYLOAD},
        {"{\"exp\":1795000060}", JWT_BAD_SUBJECT},
        {"{\"sub\":\"\",\"exp\":1795000060}", JWT_BAD_SUBJECT},
        {"{\"sub\":1,\"exp\":1795000060}", JWT_BAD_SUBJECT},
        {"{\"sub\":\"a\\u0000b\",\"exp\":1795000060}", JWT_BAD_PAYLOAD},
    };
    char payload[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(fault_of(hs_token(HS, cases[i].payload)), cases[i].fault, "%s",
                     cases[i].payload);
    snprintf(payload, sizeof(payload), "{\"sub\":\"%0129d\",\"exp\":1795000060}", 0);
    cr_expect_eq(fault_of(hs_token(HS, payload)), JWT_BAD_SUBJECT);
}

static enum jwt_fault fault_for(const char *more)
{
    static const char *const audiences[] = {"one", "two", NULL};
    struct jwt_rules rules = rules_for(keys_of_secret());
    struct jwt_claims claims;
    char payload[256];
    enum jwt_fault fault;

    rules.issuer = "us";
    rules.audiences = audiences;
    snprintf(payload, sizeof(payload), "{\"sub\":\"a\",\"exp\":1795000060%s}", more);
    fault = jwt_verify(&rules, z(hs_token(HS, payload)), NOW_MS, &claims, NULL);
    json_decref(claims.payload);
    jwt_keys_unref((struct jwt_keys *)rules.keys);
    return fault;
}

Test(jwt, issuer_and_audience_are_looked_at_where_they_are_set)
{
    cr_expect_eq(fault_for(",\"iss\":\"us\",\"aud\":\"two\""), JWT_OK);
    cr_expect_eq(fault_for(",\"iss\":\"us\",\"aud\":[\"x\",\"one\"]"), JWT_OK);
    cr_expect_eq(fault_for(",\"aud\":\"two\""), JWT_WRONG_ISSUER);
    cr_expect_eq(fault_for(",\"iss\":\"US\",\"aud\":\"two\""), JWT_WRONG_ISSUER);
    cr_expect_eq(fault_for(",\"iss\":[\"us\"],\"aud\":\"two\""), JWT_WRONG_ISSUER);
    cr_expect_eq(fault_for(",\"iss\":\"us\""), JWT_WRONG_AUDIENCE);
    cr_expect_eq(fault_for(",\"iss\":\"us\",\"aud\":[]"), JWT_WRONG_AUDIENCE);
    cr_expect_eq(fault_for(",\"iss\":\"us\",\"aud\":[1]"), JWT_WRONG_AUDIENCE);
    cr_expect_eq(fault_for(",\"iss\":\"us\",\"aud\":{\"one\":1}"), JWT_WRONG_AUDIENCE);
}

Test(jwt, a_public_key_is_never_a_secret)
{
    char *pem = pem_of(rsa_key()), set[256];
    const char *token = hs_token_by("SHA256", z(pem), HS, GOOD_PAYLOAD);
    struct jwt_keys *keys = jwt_keys_new();
    unsigned skipped;
    const char *why;

    cr_expect_eq(fault_by(keys_of_pem(rsa_key()), token), JWT_UNKNOWN_KEY);
    pem[strlen(pem) - 1] = '\0';
    token = hs_token_by("SHA256", z(pem), HS, GOOD_PAYLOAD);
    cr_expect_eq(fault_by(keys_of_pem(rsa_key()), token), JWT_UNKNOWN_KEY);
    snprintf(set, sizeof(set), "{\"keys\":[{\"kty\":\"oct\",\"k\":\"%s\"}]}",
             "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ");
    cr_expect_eq(jwt_keys_add_set(keys, z(set), &skipped, &why), -EINVAL, "a secret in a set");
    jwt_keys_unref(keys);
    free(pem);
}

Test(jwt, a_key_verifies_what_it_says_and_nothing_else)
{
    const char *ps_only = ",\"alg\":\"PS256\",\"use\":\"sig\"";

    cr_expect_eq(fault_by(keys_of_jwk(rsa_key(), ps_only),
                          pk_token('P', rsa_key(), "SHA256", "{\"alg\":\"PS256\"}")),
                 JWT_OK);
    cr_expect_eq(fault_by(keys_of_jwk(rsa_key(), ps_only),
                          pk_token('R', rsa_key(), "SHA256", "{\"alg\":\"RS256\"}")),
                 JWT_UNKNOWN_KEY);
    cr_expect_eq(fault_by(keys_of_jwk(rsa_key(), ",\"alg\":\"RS256\""),
                          pk_token('R', rsa_key(), "SHA512", "{\"alg\":\"RS512\"}")),
                 JWT_UNKNOWN_KEY);
    cr_expect_eq(fault_by(keys_of_jwk(ec_key("P-384"), ""),
                          pk_token('E', ec_key("P-384"), "SHA256", "{\"alg\":\"ES256\"}")),
                 JWT_UNKNOWN_KEY);
    cr_expect_eq(
        fault_by(keys_of_jwk(rsa_key(), ",\"k\":\"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2Vj\""),
                 hs_token_by("SHA256", z("secretsecretsecretsecretsec"), HS, GOOD_PAYLOAD)),
        JWT_UNKNOWN_KEY);
    cr_expect_null(keys_of_jwk(rsa_key(), ",\"use\":\"enc\""));
    cr_expect_null(keys_of_jwk(rsa_key(), ",\"key_ops\":[\"sign\"]"));
    cr_expect_null(keys_of_jwk(rsa_key(), ",\"alg\":\"HS256\""));
    cr_expect_null(keys_of_jwk(rsa_key(), ",\"alg\":\"RSA-OAEP\""));
}

Test(jwt, an_elliptic_signature_has_one_form)
{
    EVP_PKEY *key = ec_key("P-256");
    const char *header = "{\"alg\":\"ES256\"}";
    unsigned char zeros[64] = {0};
    char token[TOKEN_MAX];

    cr_expect_eq(fault_by(keys_of_pem(key), pk_token('D', key, "SHA256", header)),
                 JWT_WRONG_SIGNATURE);
    put_text(token, header, GOOD_PAYLOAD);
    add_signature(token, zeros, sizeof(zeros));
    cr_expect_eq(fault_by(keys_of_pem(key), token), JWT_WRONG_SIGNATURE);
    put_text(token, header, GOOD_PAYLOAD);
    add_signature(token, "x", 1);
    cr_expect_eq(fault_by(keys_of_pem(key), token), JWT_WRONG_SIGNATURE);
}

Test(jwt, the_salt_of_a_signature_is_as_long_as_its_hash)
{
    const char *header = "{\"alg\":\"PS256\"}";

    cr_expect_eq(fault_by(keys_of_pem(rsa_key()), pk_token('P', rsa_key(), "SHA256", header)),
                 JWT_OK);
    cr_expect_eq(fault_by(keys_of_pem(rsa_key()), pk_token('S', rsa_key(), "SHA256", header)),
                 JWT_WRONG_SIGNATURE);
}

/* A set whose last key, "mine", is key; before it so many others of its kind. */
static struct jwt_keys *keys_behind(EVP_PKEY *key, int others)
{
    struct jwt_keys *keys = jwt_keys_new();
    char set[8192] = "{\"keys\":[", jwk[1024];
    unsigned skipped;
    const char *why;

    for (int i = 0; i < others; i++) {
        EVP_PKEY *other = EVP_EC_gen("P-256");

        jwk_of(other, ",\"kid\":\"other\"", jwk, sizeof(jwk));
        strcat(strcat(set, jwk), ",");
        EVP_PKEY_free(other);
    }
    jwk_of(key, ",\"kid\":\"mine\"", jwk, sizeof(jwk));
    strcat(strcat(set, jwk), "]}");
    cr_assert_eq(jwt_keys_add_set(keys, z(set), &skipped, &why), 0);
    return keys;
}

Test(jwt, one_that_names_no_key_has_four_tried_and_no_more)
{
    EVP_PKEY *key = ec_key("P-256");
    const char *nameless = "{\"alg\":\"ES256\"}", *named = "{\"alg\":\"ES256\",\"kid\":\"mine\"}";

    cr_expect_eq(fault_by(keys_behind(key, 3), pk_token('E', key, "SHA256", nameless)), JWT_OK);
    cr_expect_eq(fault_by(keys_behind(key, 4), pk_token('E', key, "SHA256", nameless)),
                 JWT_WRONG_SIGNATURE, "else a hundred keys were tried for any forgery");
    cr_expect_eq(fault_by(keys_behind(key, 4), pk_token('E', key, "SHA256", named)), JWT_OK);
}

Test(jwt, a_kid_chooses_the_key_and_an_unknown_one_is_told)
{
    struct jwt_rules rules = rules_for(keys_of_jwk(rsa_key(), ",\"kid\":\"a\""));
    struct jwt_claims claims;
    char kid[JWT_KID_MAX + 1];
    const char *token = pk_token('R', rsa_key(), "SHA256", "{\"alg\":\"RS256\",\"kid\":\"a\"}");

    cr_expect_eq(jwt_verify(&rules, z(token), NOW_MS, &claims, kid), JWT_OK);
    cr_expect(notify_str_eq(claims.subject, z("alice")));
    cr_expect_eq(claims.expires_ms, UINT64_C(1795000060000));
    json_decref(claims.payload);
    token = pk_token('R', rsa_key(), "SHA256", "{\"alg\":\"RS256\",\"kid\":\"b\"}");
    cr_expect_eq(jwt_verify(&rules, z(token), NOW_MS, &claims, kid), JWT_UNKNOWN_KEY);
    cr_expect_str_eq(kid, "b");
    token = pk_token('R', rsa_key(), "SHA256", "{\"alg\":\"RS256\"}");
    cr_expect_eq(jwt_verify(&rules, z(token), NOW_MS, &claims, kid), JWT_OK);
    json_decref(claims.payload);
    jwt_keys_unref((struct jwt_keys *)rules.keys);
}

Test(jwt, two_secrets_are_good_while_one_takes_the_others_place)
{
    struct jwt_keys *keys = keys_of_secret(), *all = jwt_keys_new();
    const char *other = "another secret of at least thirty-two bytes", *why;

    cr_assert_eq(jwt_keys_add_secret(keys, z(other), &why), 0);
    cr_assert_eq(jwt_keys_add_all(all, keys), 0);
    cr_assert_eq(jwt_keys_count(all), 2);
    cr_expect_eq(fault_by(keys, hs_token_by("SHA256", z(other), HS, GOOD_PAYLOAD)), JWT_OK);
    cr_expect_eq(fault_by(all, hs_token(HS, GOOD_PAYLOAD)), JWT_OK);
}

Test(jwt_keys, files_that_hold_no_usable_key_are_refused_with_a_reason)
{
    EVP_PKEY *small = EVP_RSA_gen(1024);
    char *pem = pem_of(small);
    struct jwt_keys *keys = jwt_keys_new();
    const char *why;
    unsigned skipped;

    cr_expect_eq(jwt_keys_add_secret(keys, z("thirty-one bytes are not enough"), &why), -EINVAL);
    cr_expect_str_eq(why, "the secret is shorter than 32 bytes (RFC 7518, 3.2)");
    cr_expect_eq(jwt_keys_add_pem(keys, z(pem), &why), -EINVAL);
    cr_expect_eq(jwt_keys_add_pem(keys, z("nothing"), &why), -EINVAL);
    cr_expect_eq(
        jwt_keys_add_pem(keys, z("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                         &why),
        -EINVAL);
    cr_expect_str_eq(why, "it holds a private key; the public one is needed");
    cr_expect_eq(jwt_keys_add_set(keys, z("{\"keys\":{}}"), &skipped, &why), -EINVAL);
    cr_expect_eq(jwt_keys_add_set(keys, z("[]"), &skipped, &why), -EINVAL);
    cr_expect_eq(jwt_keys_add_set(keys, z("{\"keys\":[]}"), &skipped, &why), -EINVAL);
    cr_expect_eq(jwt_keys_count(keys), 0);
    jwt_keys_unref(keys);
    EVP_PKEY_free(small);
    free(pem);
}

/* A set of one RSA key with the modulus of a good one. */
static int add_with_exponent(struct jwt_keys *keys, const char *exponent)
{
    char jwk[2048], set[2100], *e;
    unsigned skipped;
    const char *why;

    jwk_of(rsa_key(), "", jwk, sizeof(jwk));
    e = strstr(jwk, "\"e\":");
    cr_assert_not_null(e);
    *e = '\0';
    snprintf(set, sizeof(set), "{\"keys\":[%s\"e\":\"%s\"}]}", jwk, exponent);
    return jwt_keys_add_set(keys, z(set), &skipped, &why);
}

/* By an exponent of 1 everybody signs: a signature is the padded hash itself. */
Test(jwt_keys, a_strange_exponent_makes_an_rsa_key_unusable)
{
    static const char *const bad[] = {"", "AA", "AQ", "Ag", "AQAA", "gAAAAAAAAAAB", "AQAAAAAAAAAB"};
    static const char *const good[] = {"Aw", "EQ", "AQAB", "_____w"};
    struct jwt_keys *keys = jwt_keys_new();

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(add_with_exponent(keys, bad[i]), -EINVAL, "%s", bad[i]);
    cr_expect_eq(jwt_keys_count(keys), 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect_eq(add_with_exponent(keys, good[i]), 0, "%s", good[i]);
    jwt_keys_unref(keys);
}

Test(jwt_keys, a_modulus_of_any_length_is_looked_at_and_no_more, .timeout = 20)
{
    struct jwt_keys *keys = jwt_keys_new();
    char *set = malloc(JWT_SET_BYTES_MAX + 100);
    static const int lengths[] = {0, 1, 11, 300, 1400, 20000, 60000};
    unsigned skipped;
    const char *why;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int begin = sprintf(set, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");

        memset(set + begin, '_', (size_t)lengths[i]); /* all ones */
        strcpy(set + begin + lengths[i], "\"}]}");
        cr_expect_eq(jwt_keys_add_set(keys, z(set), &skipped, &why), -EINVAL, "%d", lengths[i]);
    }
    cr_expect_eq(jwt_keys_count(keys), 0);
    jwt_keys_unref(keys);
    free(set);
}

Test(jwt_keys, a_set_that_names_a_member_twice_is_none)
{
    struct jwt_keys *keys = jwt_keys_new();
    char jwk[2048], set[4200];
    const char *why;
    unsigned skipped;

    jwk_of(rsa_key(), "", jwk, sizeof(jwk));
    snprintf(set, sizeof(set), "{\"keys\":[],\"keys\":[%s]}", jwk);
    cr_expect_eq(jwt_keys_add_set(keys, z(set), &skipped, &why), -EINVAL);
    cr_expect_eq(jwt_keys_count(keys), 0);
    jwt_keys_unref(keys);
}

Test(jwt_keys, a_set_keeps_what_is_usable_and_counts_the_rest)
{
    struct jwt_keys *keys = jwt_keys_new();
    char jwk[2048], set[4096];
    const char *why;
    unsigned skipped;

    jwk_of(rsa_key(), ",\"kid\":\"a\"", jwk, sizeof(jwk));
    snprintf(set, sizeof(set),
             "{\"keys\":[{\"kty\":\"OKP\"},17,{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"},"
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"},%s]}",
             jwk);
    cr_assert_eq(jwt_keys_add_set(keys, z(set), &skipped, &why), 0);
    cr_expect_eq(skipped, 4);
    cr_expect_eq(jwt_keys_count(keys), 1);
    cr_expect(jwt_keys_has(keys, z("a")));
    cr_expect_not(jwt_keys_has(keys, z("b")));
    jwt_keys_unref(keys);
}
