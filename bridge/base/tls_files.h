/* tls_files -- what TLS needs of files, whichever side speaks it: a certificate with its key, and
 * those who may vouch for others'. One place, so that both are read, and complained about, alike
 * towards clients (net/) and towards Redis (redis/). */
#ifndef TLS_FILES_H
#define TLS_FILES_H

#define TLS_WHY_MAX 320

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

enum tls_version { TLS_1_2, TLS_1_3 };

/* All of these: 0, or -EINVAL with a sentence in why, which may be cut. */

/* The lowest version that is spoken. */
int tls_files_least(struct ssl_ctx_st *ctx, enum tls_version least, char why[TLS_WHY_MAX]);
/* Our own: both in PEM, the certificate with those that vouch for it behind it, the key without a
 * passphrase, which nobody is asked for. They must belong together. */
int tls_files_own(struct ssl_ctx_st *ctx, const char *cert, const char *key, char why[TLS_WHY_MAX]);
/* Who may vouch for the other side: a file in PEM, or a folder as openssl rehash leaves it; NULL:
 * those whom the system believes. */
int tls_files_trust(struct ssl_ctx_st *ctx, const char *ca, char why[TLS_WHY_MAX]);

/* What failed last in the library, as that calls it: what stands behind the colon in the above. */
const char *tls_files_library_text(void);

#endif
