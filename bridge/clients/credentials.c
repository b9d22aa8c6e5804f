#include "clients/credentials.h"

#include <string.h>

#include "net/http.h"

/* One more place that has a token. */
static void found(struct credentials *credentials, struct notify_str token)
{
    if (credentials->token.ptr != NULL)
        credentials->fault = "the token must stand in one place only";
    else if (token.len == 0)
        credentials->fault = "the token is empty";
    credentials->token = notify_str_of(token.ptr == NULL ? "" : token.ptr, token.len);
}

static void look_into_query(struct credentials *credentials, const struct http_request *req)
{
    int len;

    if (!http_request_has(req, "token"))
        return;
    len = http_request_arg(req, "token", credentials->buffer, sizeof(credentials->buffer));
    found(credentials, notify_str_of(credentials->buffer, len < 0 ? 0 : (size_t)len));
}

static void skip_blanks(struct notify_str *text)
{
    while (text->len > 0 && (text->ptr[0] == ' ' || text->ptr[0] == '\t'))
        *text = notify_str_of(text->ptr + 1, text->len - 1);
}

/* Up to the first blank. */
static struct notify_str take_word(struct notify_str *text)
{
    const char *end = text->len == 0 ? NULL : memchr(text->ptr, ' ', text->len);
    struct notify_str word =
        notify_str_of(text->ptr, end == NULL ? text->len : (size_t)(end - text->ptr));

    *text = notify_str_of(text->ptr + word.len, text->len - word.len);
    return word;
}

/* Other schemes are somebody else's: of a proxy in front, for instance. */
static void look_into_authorization(struct credentials *credentials, const struct http_head *head)
{
    for (uint32_t i = 0; i < head->field_count; i++) {
        struct notify_str scheme, token = head->fields[i].value;
        if (!http_equal(head->fields[i].name, "Authorization"))
            continue;
        scheme = take_word(&token);
        skip_blanks(&token);
        if (http_equal(scheme, "bearer"))
            found(credentials, token);
    }
}

static bool next_protocol(const struct http_head *head, struct http_list_at *at,
                          struct notify_str *ret)
{
    return http_list_next(head, "Sec-WebSocket-Protocol", at, ret);
}

/* The name of a protocol has a case; what stands behind "bearer" is the token. */
static void look_into_protocols(struct credentials *credentials, const struct http_head *head)
{
    struct http_list_at at = {0};
    struct notify_str one;

    while (next_protocol(head, &at, &one)) {
        if (!notify_str_eq(one, NOTIFY_STR(CREDENTIALS_PROTOCOL)))
            continue;
        if (!next_protocol(head, &at, &one))
            one = (struct notify_str){NULL, 0};
        found(credentials, one);
    }
}

/* "name=value; name=value" (RFC 6265, 4.2.1). False: no more. */
static bool next_cookie(struct notify_str *rest, struct notify_str *ret_name,
                        struct notify_str *ret_value)
{
    const char *end, *equals;
    struct notify_str pair;

    skip_blanks(rest);
    if (rest->len == 0)
        return false;
    end = memchr(rest->ptr, ';', rest->len);
    pair = notify_str_of(rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr));
    *rest =
        notify_str_of(pair.ptr + pair.len + (end != NULL), rest->len - pair.len - (end != NULL));
    equals = pair.len == 0 ? NULL : memchr(pair.ptr, '=', pair.len);
    *ret_name = notify_str_of(pair.ptr, equals == NULL ? pair.len : (size_t)(equals - pair.ptr));
    *ret_value = equals == NULL ? (struct notify_str){NULL, 0}
                                : notify_str_of(equals + 1, pair.len - ret_name->len - 1);
    return true;
}

/* Of several with this name the first counts, which is that of the nearest path. */
static void look_into_cookies(struct credentials *credentials, const struct http_head *head,
                              const char *wanted)
{
    struct notify_str rest = http_field(head, "Cookie", NULL), name, value;

    while (next_cookie(&rest, &name, &value))
        if (notify_str_eq(name, notify_str_z(wanted))) {
            found(credentials, value);
            return;
        }
}

/* The Origin has been looked at. A page that reads from its own address sends none, but a browser
 * says then that it is so, which no page can have it say. */
static bool is_of_a_page(const struct http_request *req)
{
    unsigned count;
    struct notify_str site = http_field(req->head, "Sec-Fetch-Site", &count);

    return req->origin.len > 0 || (count == 1 && notify_str_eq(site, NOTIFY_STR("same-origin")));
}

void credentials_find(struct credentials *ret, const struct http_request *req, const char *cookie)
{
    ret->token = (struct notify_str){NULL, 0};
    ret->fault = NULL;
    look_into_query(ret, req);
    look_into_authorization(ret, req->head);
    look_into_protocols(ret, req->head);
    if (ret->token.ptr == NULL && cookie != NULL && is_of_a_page(req))
        look_into_cookies(ret, req->head, cookie);
}

const char *credentials_protocol(const struct http_request *req)
{
    struct http_list_at at = {0};
    struct notify_str one;

    while (next_protocol(req->head, &at, &one))
        if (notify_str_eq(one, NOTIFY_STR(CREDENTIALS_PROTOCOL)))
            return CREDENTIALS_PROTOCOL;
    return NULL;
}
