#include "net/ws_handshake.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/counters.h"
#include "net/carrier.h"
#include "net/stream.h"
#include "net/ws_conn.h"

#define KEY_CHARS 24 /* 16 bytes in base64 */
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define ANSWER_MAX 512

enum {
    STATUS_BAD_REQUEST = 400,
    STATUS_METHOD_NOT_ALLOWED = 405,
    STATUS_TOO_LARGE = 413,
    STATUS_UPGRADE_REQUIRED = 426,
};

static bool is_base64(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

static bool is_key(struct notify_str key)
{
    if (key.len != KEY_CHARS || memcmp(key.ptr + KEY_CHARS - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < KEY_CHARS - 2; i++)
        if (!is_base64(key.ptr[i]))
            return false;
    return true;
}

static bool is_version_13(const struct http_head *head)
{
    unsigned count;
    struct notify_str version = http_field(head, "Sec-WebSocket-Version", &count);

    return count == 1 && notify_str_eq(version, NOTIFY_STR("13"));
}

/* An ordinary GET of a WebSocket's path is told what is missing: over HTTP/1.0, which cannot
 * upgrade, too, for that is how a proxy passes it on that has not been told to do otherwise. */
int ws_handshake_check(const struct http_request *req, const char **ret_headers)
{
    const struct http_head *head = req->head;
    unsigned keys;
    struct notify_str key = http_field(head, "Sec-WebSocket-Key", &keys);

    *ret_headers = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    if (!head->upgrade || !http_list_has(head, "Upgrade", "websocket") || !is_version_13(head))
        return STATUS_UPGRADE_REQUIRED;
    *ret_headers = "Allow: GET\r\n";
    if (!notify_str_eq(req->method, NOTIFY_STR("GET")))
        return STATUS_METHOD_NOT_ALLOWED;
    *ret_headers = NULL;
    if (head->framing == HTTP_CHUNKED || head->length > 0)
        return STATUS_TOO_LARGE;
    return keys == 1 && is_key(key) ? 0 : STATUS_BAD_REQUEST;
}

/* Whoever is not to have it is not told why: he goes on without. */
static void agree_on_deflate(struct ws_opening *opening)
{
    enum deflate_offered offered = deflate_offer_find(opening->req->head, &opening->offer);

    opening->deflates = offered == DEFLATE_TAKEN;
    counter_add(COUNTER_DEFLATE_TAKEN, offered == DEFLATE_TAKEN);
    counter_add(COUNTER_DEFLATE_DECLINED, offered == DEFLATE_DECLINED);
}

int ws_handshake_ask(struct transport *transport, struct ws_opening *opening)
{
    const struct transport_config *config = &transport->config;
    int status;

    opening->accept = (struct conn_accept){.arrival = NULL};
    opening->deflates = false;
    status = config->ws.on_upgrade(config->ctx, opening->req, &opening->accept);
    if (status == 0 && config->deflate && opening->accept.may_deflate)
        agree_on_deflate(opening);
    return status;
}

EVP_MD_CTX *ws_handshake_hash_new(void)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();

    if (hash != NULL && EVP_DigestInit_ex(hash, EVP_sha1(), NULL) == 1)
        return hash;
    EVP_MD_CTX_free(hash);
    return NULL;
}

void ws_handshake_hash_free(EVP_MD_CTX *hash)
{
    EVP_MD_CTX_free(hash);
}

/* RFC 6455, section 4.2.2. It begins anew with the algorithm that it has: to have that looked up
 * again takes longer than to hash. */
static void hash_key(EVP_MD_CTX *hash, struct notify_str key, unsigned char out[SHA_DIGEST_LENGTH])
{
    if (EVP_DigestInit_ex(hash, NULL, NULL) != 1 || EVP_DigestUpdate(hash, key.ptr, key.len) != 1 ||
        EVP_DigestUpdate(hash, ACCEPT_GUID, sizeof(ACCEPT_GUID) - 1) != 1 ||
        EVP_DigestFinal_ex(hash, out, NULL) != 1)
        memset(out, 0, SHA_DIGEST_LENGTH); /* the peer takes it for no WebSocket */
}

/* What is put together is static text but for accept: there is room for all of it. printf() takes
 * ten times as long. */
static int format_answer(EVP_MD_CTX *hasher, const struct ws_opening *opening, char out[ANSWER_MAX])
{
    char accept[32];
    unsigned char hash[SHA_DIGEST_LENGTH];
    char extension[DEFLATE_ANSWER_MAX] = "";
    const char *protocol = opening->accept.protocol;
    char *at = out;

    if (opening->deflates)
        (void)deflate_offer_answer(&opening->offer, extension);
    hash_key(hasher, http_field(opening->req->head, "Sec-WebSocket-Key", NULL), hash);
    (void)EVP_EncodeBlock((unsigned char *)accept, hash, SHA_DIGEST_LENGTH);
    at = stpcpy(at, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    at = stpcpy(stpcpy(at, accept), "\r\n");
    at = stpcpy(at, extension);
    if (protocol != NULL)
        at = stpcpy(stpcpy(stpcpy(at, "Sec-WebSocket-Protocol: "), protocol), "\r\n");
    return (int)(stpcpy(at, "\r\n") - out);
}

void ws_handshake_open(struct transport *transport, struct stream *stream,
                       const struct ws_opening *opening)
{
    char answer[ANSWER_MAX];
    int len = format_answer(transport->accept, opening, answer);

    ws_conn_open(transport, stream, opening, notify_str_of(answer, (size_t)len));
}
