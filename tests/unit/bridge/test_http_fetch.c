/* http_fetch against real servers on loopback, in the same loop: what comes, and each way it can
 * fail. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/loop.h"
#include "net/http_fetch.h"

struct world {
    struct loop *loop;
    struct evhttp *plain, *tls;
    SSL_CTX *server_tls;
    uint16_t plain_port, tls_port;
    char ca_file[64];
    unsigned calls;
    char error[64], body[64];
    int status;
    uint64_t max_age_s;
    struct evhttp_request *dripping; /* owned; or NULL */
};

/* ---- servers */

#define TEN_TIMES(text) text text text text text text text text text text
#define LONG_VALUE TEN_TIMES(TEN_TIMES("12345"))

/* A byte now and then, for as long as anybody listens. */
static void drip(evutil_socket_t fd, short what, void *ctx)
{
    const struct timeval soon = {.tv_usec = 100000};
    struct world *world = ctx;
    struct evbuffer *byte = evbuffer_new();

    (void)fd;
    (void)what;
    evbuffer_add(byte, " ", 1);
    evhttp_send_reply_chunk(world->dripping, byte); /* to nobody, once they have gone */
    evbuffer_free(byte);
    event_base_once(loop_base(world->loop), -1, EV_TIMEOUT, drip, world, &soon);
}

static void serve(struct evhttp_request *request, void *ctx)
{
    const char *path = evhttp_request_get_uri(request);
    struct evbuffer *body = evbuffer_new();
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

    if (strcmp(path, "/silent") == 0) {
        evbuffer_free(body);
        return; /* never */
    }
    if (strcmp(path, "/dripping") == 0) {
        ((struct world *)ctx)->dripping = request;
        evhttp_request_own(request);
        evhttp_send_reply_start(request, 200, "OK");
        drip(-1, 0, ctx);
    } else if (strcmp(path, "/moved") == 0) {
        evhttp_add_header(headers, "Location", "/keys");
        evhttp_send_reply(request, 302, "Found", body);
    } else if (strcmp(path, "/keys?a=1") == 0) {
        evhttp_add_header(headers, "Cache-Control", "public, max-age=123");
        evbuffer_add_printf(body, "hello");
        evhttp_send_reply(request, 200, "OK", body);
    } else if (strcmp(path, "/head") == 0) {
        for (int i = 0; i < 40; i++)
            evhttp_add_header(headers, "X-Padding", LONG_VALUE);
        evhttp_send_reply(request, 200, "OK", body);
    } else if (strcmp(path, "/long") == 0) {
        evbuffer_add_printf(body, "%02000d", 0);
        evhttp_send_reply(request, 200, "OK", body);
    } else {
        evhttp_send_error(request, 404, NULL);
    }
    evbuffer_free(body);
}

static struct evhttp *start_server(struct world *world, uint16_t *ret_port)
{
    struct evhttp *http = evhttp_new(loop_base(world->loop));
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);

    cr_assert_eq(
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)(void *)&addr, &len), 0);
    *ret_port = ntohs(addr.sin_port);
    evhttp_set_gencb(http, serve, world);
    return http;
}

static struct bufferevent *make_tls_stream(struct event_base *base, void *ctx)
{
    return bufferevent_openssl_socket_new(base, -1, SSL_new(ctx), BUFFEREVENT_SSL_ACCEPTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

/* A certificate for "localhost" that vouches for itself, written to world->ca_file too. */
static void make_certificate(struct world *world)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_EXTENSION *names;
    X509V3_CTX v3;
    int fd;
    FILE *file;

    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    X509V3_set_ctx_nodb(&v3);
    X509V3_set_ctx(&v3, cert, cert, NULL, NULL, 0);
    names = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(cert, names, -1);
    X509_EXTENSION_free(names);
    cr_assert(X509_sign(cert, key, EVP_sha256()) > 0);
    world->server_tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(world->server_tls, cert);
    SSL_CTX_use_PrivateKey(world->server_tls, key);
    strcpy(world->ca_file, P_tmpdir "/test_http_fetch.XXXXXX");
    fd = mkstemp(world->ca_file);
    file = fdopen(fd, "w");
    PEM_write_X509(file, cert);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void begin(struct world *world)
{
    *world = (struct world){.loop = loop_new()};
    make_certificate(world);
    world->plain = start_server(world, &world->plain_port);
    world->tls = start_server(world, &world->tls_port);
    evhttp_set_bevcb(world->tls, make_tls_stream, world->server_tls);
}

static void finish(struct world *world)
{
    evhttp_free(world->plain);
    evhttp_free(world->tls);
    if (world->dripping != NULL)
        evhttp_request_free(world->dripping);
    SSL_CTX_free(world->server_tls);
    loop_free(world->loop);
    unlink(world->ca_file);
}

/* ---- fetching */

static void on_result(void *ctx, const struct http_fetch_result *result)
{
    struct world *world = ctx;

    world->calls++;
    world->status = result->status;
    world->max_age_s = result->max_age_s;
    snprintf(world->error, sizeof(world->error), "%s", result->error == NULL ? "" : result->error);
    snprintf(world->body, sizeof(world->body), "%.*s", (int)result->body.len,
             result->body.len == 0 ? "" : result->body.ptr);
    loop_stop(world->loop);
}

static struct http_fetcher *fetcher_of(struct world *world, const char *url, const char *ca_file)
{
    static const struct http_fetch_limits limits = {.timeout_ms = 1500, .max_bytes = 1000};

    cr_assert_null(http_fetch_check(url), "%s", url);
    return http_fetcher_new(world->loop, url, ca_file, &limits);
}

static void fetch(struct world *world, const char *scheme, const char *host, uint16_t port,
                  const char *path, const char *ca_file)
{
    char url[256];
    struct http_fetcher *fetcher;

    snprintf(url, sizeof(url), "%s://%s:%u%s", scheme, host, (unsigned)port, path);
    fetcher = fetcher_of(world, url, ca_file);
    cr_assert_not_null(fetcher);
    world->calls = 0;
    cr_assert_eq(http_fetcher_start(fetcher, on_result, world), 0);
    cr_assert_eq(http_fetcher_start(fetcher, on_result, world), -EBUSY);
    cr_assert_eq(loop_run(world->loop), 0);
    cr_assert_eq(world->calls, 1);
    http_fetcher_free(fetcher);
}

Test(http_fetch, a_document_comes_with_how_long_it_is_good)
{
    struct world world;

    begin(&world);
    fetch(&world, "http", "127.0.0.1", world.plain_port, "/keys?a=1", NULL);
    cr_expect_str_eq(world.error, "");
    cr_expect_str_eq(world.body, "hello");
    cr_expect_eq(world.max_age_s, 123);
    fetch(&world, "https", "localhost", world.tls_port, "/keys?a=1", world.ca_file);
    cr_expect_str_eq(world.error, "");
    cr_expect_str_eq(world.body, "hello");
    finish(&world);
}

Test(http_fetch, every_failure_is_told_and_brings_no_body)
{
    struct world world;
    uint16_t closed;
    struct evhttp *gone;

    begin(&world);
    gone = start_server(&world, &closed);
    evhttp_free(gone);
    fetch(&world, "http", "127.0.0.1", world.plain_port, "/nothing", NULL);
    cr_expect_str_eq(world.error, "the answer is not 200");
    cr_expect_eq(world.status, 404);
    fetch(&world, "http", "127.0.0.1", world.plain_port, "/moved", NULL);
    cr_expect_eq(world.status, 302, "redirections are not followed");
    fetch(&world, "http", "127.0.0.1", world.plain_port, "/long", NULL);
    cr_expect_str_eq(world.error, "the answer is too long");
    fetch(&world, "http", "127.0.0.1", world.plain_port, "/head", NULL);
    cr_expect_neq(world.error[0], '\0', "20 KiB of head");
    fetch(&world, "http", "127.0.0.1", world.plain_port, "/silent", NULL);
    cr_expect_str_eq(world.error, "no answer in time");
    fetch(&world, "http", "127.0.0.1", world.plain_port, "/dripping", NULL);
    cr_expect_str_eq(world.error, "no answer in time");
    fetch(&world, "http", "127.0.0.1", closed, "/", NULL);
    cr_expect_neq(world.error[0], '\0', "refused");
    fetch(&world, "http", "127.0.0.1", world.tls_port, "/", NULL);
    cr_expect_neq(world.error[0], '\0', "no HTTP");
    cr_expect_str_eq(world.body, "");
    finish(&world);
}

Test(http_fetch, a_certificate_must_be_trusted_and_for_that_name)
{
    struct world world;

    begin(&world);
    fetch(&world, "https", "localhost", world.tls_port, "/keys?a=1", NULL);
    cr_expect_neq(world.error[0], '\0', "nobody vouches for it");
    fetch(&world, "https", "127.0.0.1", world.tls_port, "/keys?a=1", world.ca_file);
    cr_expect_neq(world.error[0], '\0', "it is for localhost");
    cr_expect_str_eq(world.body, "");
    finish(&world);
}

Test(http_fetch, one_that_is_given_up_says_nothing_more)
{
    struct world world;
    struct http_fetcher *fetcher;
    char url[64];

    begin(&world);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/silent", (unsigned)world.plain_port);
    fetcher = fetcher_of(&world, url, NULL);
    cr_assert_eq(http_fetcher_start(fetcher, on_result, &world), 0);
    (void)event_base_loop(loop_base(world.loop), EVLOOP_NONBLOCK);
    http_fetcher_free(fetcher);
    (void)event_base_loop(loop_base(world.loop), EVLOOP_NONBLOCK);
    cr_expect_eq(world.calls, 0);
    cr_expect_null(
        http_fetcher_new(world.loop, "https://localhost/", "/nonexistent",
                         &(struct http_fetch_limits){.timeout_ms = 1000, .max_bytes = 1000}));
    finish(&world);
}

Test(http_fetch, only_addresses_that_can_be_trusted_are_taken)
{
    static const char *const good[] = {"https://example.org", "https://example.org:8443/a?b",
                                       "http://localhost/x",  "http://127.0.0.1:1/",
                                       "http://[::1]:1/",     "https://[2001:db8::1]/"};
    static const char *const bad[] = {"",
                                      "example.org",
                                      "http://example.org/",
                                      "ftp://localhost/",
                                      "https://u:p@example.org/",
                                      "https:///x",
                                      "https://a:0/",
                                      "https://a:99999/",
                                      "http://localhost.example.org/"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect_null(http_fetch_check(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not_null(http_fetch_check(bad[i]), "%s", bad[i]);
}
