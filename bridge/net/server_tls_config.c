#include "net/server_tls_config.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define NAME_MAX_BYTES 64
#define SEPARATORS ":, "

/* OpenSSL passes over names that it does not know, and so a list that is misspelt would be another
 * one than was meant. So each word is looked at alone. */
static const char *check_words(const char *text, bool (*is_known)(SSL_CTX *ctx, const char *word),
                               const char *complaint)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const char *why = ctx == NULL ? "cannot be checked: out of memory" : NULL;
    char word[NAME_MAX_BYTES + 1];
    bool any = false;

    while (why == NULL && *(text += strspn(text, SEPARATORS)) != '\0') {
        size_t len = strcspn(text, SEPARATORS);
        memcpy(word, text, len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES);
        word[len < NAME_MAX_BYTES ? len : NAME_MAX_BYTES] = '\0';
        if (len > NAME_MAX_BYTES || !is_known(ctx, word))
            why = complaint;
        text += len;
        any = true;
    }
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return why == NULL && !any ? complaint : why;
}

/* What takes ciphers away, or says how to choose, need not find any. */
static bool is_cipher(SSL_CTX *ctx, const char *word)
{
    return strchr("!-+@", *word) != NULL || SSL_CTX_set_cipher_list(ctx, word) == 1;
}

const char *server_tls_check_ciphers(const char *text)
{
    static const char complaint[] =
        "must be names of ciphers of TLS 1.2 that OpenSSL knows, with colons between them";
    const char *why = check_words(text, is_cipher, complaint);
    SSL_CTX *ctx = why == NULL ? SSL_CTX_new(TLS_server_method()) : NULL;

    if (why == NULL && ctx != NULL && SSL_CTX_set_cipher_list(ctx, text) != 1)
        why = complaint; /* nothing is left of them */
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return why;
}

static bool is_suite(SSL_CTX *ctx, const char *word)
{
    STACK_OF(SSL_CIPHER) * known;

    if (SSL_CTX_set_ciphersuites(ctx, word) != 1)
        return false;
    known = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(known); i++)
        if (strcmp(SSL_CIPHER_standard_name(sk_SSL_CIPHER_value(known, i)), word) == 0)
            return strncmp(word, "TLS_", 4) == 0;
    return false;
}

const char *server_tls_check_suites(const char *text)
{
    return check_words(
        text, is_suite,
        "must be names of cipher suites of TLS 1.3 that OpenSSL knows, with colons between them");
}
