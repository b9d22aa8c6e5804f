#include "net/server_tls.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/counters.h"
#include "base/log.h"

/* All that was read together. */
struct settings {
    SSL_CTX *ctx;           /* owned: certificate, key, least version, who may vouch for clients */
    char *cert;             /* owned: the file that it was read from */
    char *ciphers, *suites; /* owned; NULL: OpenSSL's choice */
};

struct server_tls {
    struct settings *shown; /* owned; NULL: none yet */
    struct settings *read;  /* owned: the next ones; NULL: none were read, or they were no good */
    uint64_t turn;          /* sessions of TLS can be resumed while it is the same */
};

static struct settings *settings_free(struct settings *settings)
{
    if (settings == NULL)
        return NULL;
    SSL_CTX_free(settings->ctx);
    free(settings->cert);
    free(settings->ciphers);
    free(settings->suites);
    free(settings);
    return NULL;
}

struct server_tls *server_tls_new(void)
{
    return calloc(1, sizeof(struct server_tls));
}

void server_tls_free(struct server_tls *tls)
{
    if (tls == NULL)
        return;
    settings_free(tls->shown);
    settings_free(tls->read);
    free(tls);
}

/* Reading. */

static int verify_mode(const struct server_tls_config *config)
{
    switch (config->clients) {
    case SERVER_TLS_BY_CA:
        return config->client_ca == NULL ? SSL_VERIFY_NONE
                                         : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    case SERVER_TLS_OFF:
        return SSL_VERIFY_NONE;
    case SERVER_TLS_OPTIONAL:
        return SSL_VERIFY_PEER;
    case SERVER_TLS_REQUIRED:
        break;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* Clients are told whose certificates are wanted: so they choose among several. */
static int read_client_ca(SSL_CTX *ctx, const char *file, char why[TLS_WHY_MAX])
{
    STACK_OF(X509_NAME) * names;

    if (tls_files_trust(ctx, file, why) != 0)
        return -EINVAL;
    names = SSL_load_client_CA_file(file);
    if (names == NULL) {
        (void)snprintf(why, TLS_WHY_MAX, "no certificates to believe in %s: %s", file,
                       tls_files_library_text());
        ERR_clear_error();
        return -EINVAL;
    }
    SSL_CTX_set_client_CA_list(ctx, names); /* takes them over */
    return 0;
}

static int copy_text(char **at, const char *text)
{
    *at = text == NULL ? NULL : strdup(text);
    return text != NULL && *at == NULL ? -ENOMEM : 0;
}

static int read_into(struct settings *read, const struct server_tls_config *config,
                     char why[TLS_WHY_MAX])
{
    int mode = verify_mode(config);

    (void)snprintf(why, TLS_WHY_MAX, "out of memory");
    read->ctx = SSL_CTX_new(TLS_server_method());
    if (read->ctx == NULL || copy_text(&read->cert, config->cert) != 0 ||
        copy_text(&read->ciphers, config->ciphers) != 0 ||
        copy_text(&read->suites, config->suites) != 0)
        return -EINVAL;
    if (tls_files_least(read->ctx, config->least, why) != 0 ||
        tls_files_own(read->ctx, config->cert, config->key, why) != 0)
        return -EINVAL;
    SSL_CTX_set_verify(read->ctx, mode, NULL);
    return mode == SSL_VERIFY_NONE ? 0 : read_client_ca(read->ctx, config->client_ca, why);
}

int server_tls_read(struct server_tls *tls, const struct server_tls_config *config,
                    char why[TLS_WHY_MAX])
{
    struct settings *read = calloc(1, sizeof(*read));

    tls->read = settings_free(tls->read);
    if (read == NULL || read_into(read, config, why) != 0) {
        settings_free(read);
        return -EINVAL;
    }
    tls->read = read;
    return 0;
}

const char *server_tls_take(struct server_tls *tls)
{
    if (tls->read == NULL)
        return NULL;
    settings_free(tls->shown);
    tls->shown = tls->read;
    tls->read = NULL;
    tls->turn++;
    return tls->shown->cert;
}

/* What became of handshakes. */

struct refusal {
    int reason; /* of the library */
    enum counter counter;
};

static const struct refusal refusals[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, COUNTER_TLS_REFUSED_CERTIFICATE},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, COUNTER_TLS_REFUSED_CERTIFICATE},
    {SSL_R_UNSUPPORTED_PROTOCOL, COUNTER_TLS_REFUSED_VERSION},
    {SSL_R_VERSION_TOO_LOW, COUNTER_TLS_REFUSED_VERSION},
    {SSL_R_INAPPROPRIATE_FALLBACK, COUNTER_TLS_REFUSED_VERSION},
    {SSL_R_NO_SHARED_CIPHER, COUNTER_TLS_REFUSED_CIPHER},
};

static void count_refusal(const SSL *ssl)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    enum counter counter = COUNTER_TLS_REFUSED_OTHER;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].reason == reason)
            counter = refusals[i].counter;
    counter_add(counter, 1);
    log_debug("tls_refused", "reason",
              reason == SSL_R_CERTIFICATE_VERIFY_FAILED
                  ? X509_verify_cert_error_string(SSL_get_verify_result(ssl))
                  : tls_files_library_text());
}

static void on_event(const SSL *ssl, int what, int value)
{
    if (what & SSL_CB_HANDSHAKE_DONE)
        counter_add(SSL_get0_peer_certificate(ssl) == NULL ? COUNTER_TLS_WITHOUT_CERTIFICATE
                                                           : COUNTER_TLS_WITH_CERTIFICATE,
                    1);
    else if (what == SSL_CB_WRITE_ALERT && value >> 8 == SSL3_AL_FATAL &&
             !SSL_is_init_finished(ssl))
        count_refusal(ssl);
}

/* Handshakes. */

static bool show_certificate(SSL *ssl, SSL_CTX *ctx)
{
    STACK_OF(X509) *chain = NULL;

    (void)SSL_CTX_get0_chain_certs(ctx, &chain); /* fails where there is none */
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(ctx), SSL_CTX_get0_privatekey(ctx),
                                chain, 1) == 1;
}

static bool choose_ciphers(SSL *ssl, const struct settings *now)
{
    return SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(now->ctx)) == 1 &&
           (now->ciphers == NULL || SSL_set_cipher_list(ssl, now->ciphers) == 1) &&
           (now->suites == NULL || SSL_set_ciphersuites(ssl, now->suites) == 1);
}

static bool ask_for_certificate(SSL *ssl, SSL_CTX *ctx)
{
    int mode = SSL_CTX_get_verify_mode(ctx);
    STACK_OF(X509_NAME) * names;

    SSL_set_verify(ssl, mode, NULL);
    if (mode == SSL_VERIFY_NONE)
        return true;
    names = SSL_dup_CA_list(SSL_CTX_get_client_CA_list(ctx));
    if (names == NULL)
        return false;
    SSL_set_client_CA_list(ssl, names); /* takes them over */
    return SSL_set1_verify_cert_store(ssl, SSL_CTX_get_cert_store(ctx)) == 1;
}

/* A session that is resumed brings the certificate that was good then, and what was agreed on then.
 * So none outlives the settings that it began with, and where certificates are asked for, each
 * connection shows its own. */
static bool bind_session(SSL *ssl, struct server_tls *tls)
{
    if (SSL_CTX_get_verify_mode(tls->shown->ctx) != SSL_VERIFY_NONE)
        tls->turn++;
    return SSL_set_session_id_context(ssl, (const unsigned char *)&tls->turn, sizeof(tls->turn)) ==
           1;
}

/* The first that is heard of a client; before versions are compared. */
static int on_hello(SSL *ssl, int *ret_alert, void *ctx)
{
    struct server_tls *tls = ctx;

    SSL_set_info_callback(ssl, on_event);
    if (show_certificate(ssl, tls->shown->ctx) && choose_ciphers(ssl, tls->shown) &&
        ask_for_certificate(ssl, tls->shown->ctx) && bind_session(ssl, tls))
        return SSL_CLIENT_HELLO_SUCCESS;
    *ret_alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

void server_tls_attach(struct server_tls *tls, SSL_CTX *ctx)
{
    SSL_CTX_set_client_hello_cb(ctx, on_hello, tls);
}
