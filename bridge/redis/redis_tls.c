#include "redis/redis_tls.h"

#include <stdio.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/file_watch.h"
#include "base/log.h"
#include "base/tls_files.h"
#include "redis/redis_address.h"

struct redis_tls {
    const struct redis_tls_config *config; /* borrowed */
    SSL_CTX *ctx;                          /* owned; connections keep the one they began with */
    struct file_watch ca, cert, key;
};

/* Files. */

static void say(char why[TLS_WHY_MAX], const char *what, const char *name)
{
    (void)snprintf(why, TLS_WHY_MAX, "%s %s: %s", what, name, tls_files_library_text()); /* cut */
}

static SSL_CTX *load(const struct redis_tls_config *config, char why[TLS_WHY_MAX])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL) {
        say(why, "TLS", "cannot be had");
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (tls_files_least(ctx, config->least, why) == 0 &&
        tls_files_trust(ctx, config->ca, why) == 0 &&
        (config->cert == NULL || tls_files_own(ctx, config->cert, config->key, why) == 0))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static bool has_changed(struct file_watch *watch, const char *path)
{
    return path != NULL && file_watch_changed(watch, path);
}

static bool have_files_changed(struct redis_tls *tls)
{
    bool ca = has_changed(&tls->ca, tls->config->ca);
    bool cert = has_changed(&tls->cert, tls->config->cert);
    bool key = has_changed(&tls->key, tls->config->key);

    return ca || cert || key;
}

/* Certificates are renewed while we run. Half of a change is none: what was good goes on. */
static void renew(struct redis_tls *tls)
{
    char why[TLS_WHY_MAX];
    SSL_CTX *ctx;

    if (!have_files_changed(tls))
        return;
    ctx = load(tls->config, why);
    if (ctx == NULL) {
        log_warn("redis_tls_not_renewed", "text", why);
        return;
    }
    SSL_CTX_free(tls->ctx);
    tls->ctx = ctx;
    log_info("redis_tls_renewed");
}

struct redis_tls *redis_tls_new(const struct redis_tls_config *config, char why[TLS_WHY_MAX])
{
    struct redis_tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL) {
        (void)snprintf(why, TLS_WHY_MAX, "out of memory");
        return NULL;
    }
    tls->config = config;
    (void)have_files_changed(tls); /* from now on */
    tls->ctx = load(config, why);
    if (tls->ctx == NULL) {
        free(tls);
        return NULL;
    }
    return tls;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->ctx);
    free(tls);
}

/* Connections. */

/* The name that the certificate must have, and that the server hears first. */
static bool set_name(SSL *ssl, const char *name)
{
    if (redis_address_is_numeric(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

struct ssl_st *redis_tls_begin(struct redis_tls *tls, struct redisContext *context,
                               const char *host, char why[TLS_WHY_MAX])
{
    const char *name = tls->config->name == NULL ? host : tls->config->name;
    SSL *ssl;

    renew(tls);
    ERR_clear_error();
    ssl = SSL_new(tls->ctx);
    if (ssl == NULL || !set_name(ssl, name)) {
        say(why, "TLS cannot be begun with", name);
        goto fail;
    }
    if (redisInitiateSSL(context, ssl) != REDIS_OK) {
        (void)redis_tls_failure(ssl, context->err == REDIS_ERR_EOF, why);
        goto fail;
    }
    return ssl;
fail:
    SSL_free(ssl);
    return NULL;
}

void redis_tls_prepare(void)
{
    ERR_clear_error();
}

bool redis_tls_wants_read(const struct ssl_st *ssl)
{
    return SSL_want_read(ssl);
}

bool redis_tls_is_up(const struct ssl_st *ssl)
{
    return SSL_is_init_finished(ssl);
}

/* What went wrong. */

#define WRONG_NAME                                                                                 \
    "the server's certificate is for another name than ours for it: see --redis-tls-name"
#define UNKNOWN_CA "nobody whom we believe vouches for the server's certificate: see --redis-tls-ca"
#define NO_TLS "the server speaks no TLS at this port"
/* By an alert or, if that was lost with the connection, by its end alone: one text for both. */
#define NOT_US                                                                                     \
    "the server hung up after the TLS handshake, as it does if it wants (another) certificate of " \
    "ours: see --redis-tls-cert"
#define NO_VERSION                                                                                 \
    "we and the server share no version or cipher of TLS: see --redis-tls-min-version"

struct sentence {
    long code;
    const char *text;
};

/* By what verifying said. */
static const struct sentence verify_sentences[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "the server's certificate has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "the server's certificate is not valid yet"},
    {X509_V_ERR_HOSTNAME_MISMATCH, WRONG_NAME},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, WRONG_NAME},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, UNKNOWN_CA},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, UNKNOWN_CA},
    {0, NULL},
};

/* By the reason of the last error. */
static const struct sentence error_sentences[] = {
    {SSL_R_WRONG_VERSION_NUMBER, NO_TLS},
    {SSL_R_PACKET_LENGTH_TOO_LONG, NO_TLS},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, NOT_US},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, NOT_US},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, NOT_US},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, NOT_US},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, NOT_US},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, NOT_US},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, NO_VERSION},
    {SSL_R_UNSUPPORTED_PROTOCOL, NO_VERSION},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, NO_VERSION},
    {0, NULL},
};

static const char *find(const struct sentence *sentences, long code)
{
    for (; sentences->text != NULL; sentences++)
        if (sentences->code == code)
            return sentences->text;
    return NULL;
}

static const char *verify_text(const struct ssl_st *ssl)
{
    long code = SSL_get_verify_result(ssl);
    const char *text = find(verify_sentences, code);

    if (code == X509_V_OK)
        return NULL;
    return text != NULL ? text : X509_verify_cert_error_string(code);
}

/* The server has ended the connection, or there is no word of it in the library. */
static const char *end_text(const struct ssl_st *ssl)
{
    return SSL_is_init_finished(ssl)
               ? NOT_US
               : "the server closed the connection during the TLS handshake: perhaps it speaks "
                 "none at this port";
}

const char *redis_tls_failure(const struct ssl_st *ssl, bool has_ended, char why[TLS_WHY_MAX])
{
    unsigned long error = ERR_peek_last_error();
    bool is_end =
        has_ended || error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    const char *text = SSL_is_init_finished(ssl) ? NULL : verify_text(ssl);

    if (text == NULL)
        text = find(error_sentences, ERR_GET_REASON(error));
    if (text != NULL)
        (void)snprintf(why, TLS_WHY_MAX, "%s", text);
    else if (is_end)
        (void)snprintf(why, TLS_WHY_MAX, "%s", end_text(ssl));
    else
        (void)snprintf(why, TLS_WHY_MAX, "TLS: %s", tls_files_library_text());
    return why;
}
