#include "base/tls_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static const int versions[] = {[TLS_1_2] = TLS1_2_VERSION, [TLS_1_3] = TLS1_3_VERSION};

const char *tls_files_library_text(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text == NULL ? "unknown error" : text;
}

static int fail(char why[TLS_WHY_MAX], const char *what, const char *name)
{
    (void)snprintf(why, TLS_WHY_MAX, "%s %s: %s", what, name, tls_files_library_text());
    ERR_clear_error();
    return -EINVAL;
}

int tls_files_least(SSL_CTX *ctx, enum tls_version least, char why[TLS_WHY_MAX])
{
    ERR_clear_error();
    return SSL_CTX_set_min_proto_version(ctx, versions[least]) == 1
               ? 0
               : fail(why, "TLS", "cannot be had");
}

/* In place of asking at the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return 0;
}

int tls_files_own(SSL_CTX *ctx, const char *cert, const char *key, char why[TLS_WHY_MAX])
{
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return fail(why, "no certificate in", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return fail(why, "no private key of that certificate in", key);
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool trust(SSL_CTX *ctx, const char *ca)
{
    if (ca == NULL)
        return SSL_CTX_set_default_verify_paths(ctx);
    return is_folder(ca) ? SSL_CTX_load_verify_dir(ctx, ca) : SSL_CTX_load_verify_file(ctx, ca);
}

int tls_files_trust(SSL_CTX *ctx, const char *ca, char why[TLS_WHY_MAX])
{
    ERR_clear_error();
    return trust(ctx, ca)
               ? 0
               : fail(why, "no certificates to believe in", ca == NULL ? "(system)" : ca);
}
