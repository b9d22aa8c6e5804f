/* http_body -- bodies with a length, and chunked ones. */
#include "wire/http_body.h"

#include <string.h>

enum {
    STATUS_BAD_REQUEST = 400,
    STATUS_TOO_LARGE = 413,
    STATUS_HEADER_TOO_LARGE = 431,
};

#define SIZE_DIGITS_MAX 8

enum body_state {
    BODY_ENDED,
    BODY_LENGTH,    /* left bytes, then the end */
    BODY_SIZE,      /* the digits of a chunk's size */
    BODY_EXTENSION, /* what may follow them */
    BODY_SIZE_LF,   /* the end of that line */
    BODY_DATA,      /* left bytes of a chunk */
    BODY_DATA_CR,   /* the line end behind them */
    BODY_DATA_LF,
    BODY_TRAILER,    /* the begin of a trailer line, or of the blank one that ends all */
    BODY_NAME,       /* in the name of a trailer field */
    BODY_VALUE,      /* in its value */
    BODY_TRAILER_LF, /* the end of its line */
    BODY_LAST_LF,    /* the end of the blank line */
    BODY_REFUSED,    /* more than the limit */
};

void http_body_begin(struct http_body *body, const struct http_head *head, uint64_t limit)
{
    *body = (struct http_body){.room = limit};
    if (head->framing == HTTP_CHUNKED) {
        body->state = BODY_SIZE;
    } else if (head->framing == HTTP_LENGTH && head->length > 0) {
        body->state = head->length > limit ? BODY_REFUSED : BODY_LENGTH;
        body->left = head->length;
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int go_to(struct http_body *body, enum body_state state)
{
    body->state = (uint8_t)state;
    body->count = 0;
    return HTTP_BODY_MORE;
}

/* RFC 9112, 7.1: one to eight digits, and nothing between them and what follows. */
static int read_size(struct http_body *body, char c)
{
    int digit = hex_value(c);

    if (digit >= 0) {
        body->left = body->left << 4 | (unsigned)digit;
        return ++body->count > SIZE_DIGITS_MAX ? STATUS_BAD_REQUEST : HTTP_BODY_MORE;
    }
    if (body->count == 0 || (c != '\r' && c != ';'))
        return STATUS_BAD_REQUEST;
    if (body->left > body->room)
        return STATUS_TOO_LARGE;
    return go_to(body, c == '\r' ? BODY_SIZE_LF : BODY_EXTENSION);
}

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7F;
}

static int read_extension(struct http_body *body, char c)
{
    if (c == '\r')
        return go_to(body, BODY_SIZE_LF);
    return is_control(c) || ++body->count > HTTP_EXTENSION_MAX ? STATUS_BAD_REQUEST
                                                               : HTTP_BODY_MORE;
}

/* What says where a body ends must stand before it (RFC 9110, 6.5.1). */
static bool is_forbidden(const struct http_body *body)
{
    struct notify_str name = notify_str_of(body->name, body->name_len);

    return http_equal(name, "Content-Length") || http_equal(name, "Transfer-Encoding") ||
           http_equal(name, "Host");
}

static int read_name(struct http_body *body, char c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    if (c == ':') {
        if (body->name_len == 0 || is_forbidden(body))
            return STATUS_BAD_REQUEST;
        body->state = BODY_VALUE;
        return HTTP_BODY_MORE;
    }
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
          (c != '\0' && strchr(others, c) != NULL)))
        return STATUS_BAD_REQUEST;
    if (body->name_len < HTTP_TRAILER_NAME)
        body->name[body->name_len++] = c;
    return HTTP_BODY_MORE;
}

/* Their bytes are counted over all trailer lines: the count is not begun anew between them. */
static int read_trailers(struct http_body *body, char c)
{
    if (++body->count > HTTP_TRAILERS_MAX)
        return STATUS_HEADER_TOO_LARGE;
    switch (body->state) {
    case BODY_TRAILER:
        body->name_len = 0;
        body->state = c == '\r' ? BODY_LAST_LF : BODY_NAME;
        return c == '\r' ? HTTP_BODY_MORE : read_name(body, c);
    case BODY_NAME:
        return read_name(body, c);
    case BODY_VALUE:
        if (c == '\r')
            body->state = BODY_TRAILER_LF;
        return c == '\r' || !is_control(c) ? HTTP_BODY_MORE : STATUS_BAD_REQUEST;
    default: /* BODY_TRAILER_LF */
        body->state = BODY_TRAILER;
        return c == '\n' ? HTTP_BODY_MORE : STATUS_BAD_REQUEST;
    }
}

/* One byte of the chunked form that is no data. */
static int read_framing(struct http_body *body, char c)
{
    switch (body->state) {
    case BODY_SIZE:
        return read_size(body, c);
    case BODY_EXTENSION:
        return read_extension(body, c);
    case BODY_SIZE_LF:
        if (c != '\n')
            return STATUS_BAD_REQUEST;
        return go_to(body, body->left > 0 ? BODY_DATA : BODY_TRAILER);
    case BODY_DATA_CR:
        return c == '\r' ? go_to(body, BODY_DATA_LF) : STATUS_BAD_REQUEST;
    case BODY_DATA_LF:
        return c == '\n' ? go_to(body, BODY_SIZE) : STATUS_BAD_REQUEST;
    case BODY_LAST_LF:
        body->state = BODY_ENDED;
        return c == '\n' ? HTTP_BODY_DONE : STATUS_BAD_REQUEST;
    default:
        return read_trailers(body, c);
    }
}

static int take_data(struct http_body *body, struct notify_str *in, struct notify_str *ret_piece)
{
    size_t len = in->len < body->left ? in->len : (size_t)body->left;

    *ret_piece = notify_str_of(in->ptr, len);
    *in = notify_str_of(in->ptr + len, in->len - len);
    body->left -= len;
    body->room -= len;
    if (body->left == 0)
        body->state = body->state == BODY_LENGTH ? BODY_ENDED : BODY_DATA_CR;
    return HTTP_BODY_PIECE;
}

int http_body_next(struct http_body *body, struct notify_str *in, struct notify_str *ret_piece)
{
    int step = HTTP_BODY_MORE;

    if (body->state == BODY_ENDED)
        return HTTP_BODY_DONE;
    if (body->state == BODY_REFUSED)
        return STATUS_TOO_LARGE;
    while (step == HTTP_BODY_MORE && in->len > 0) {
        if (body->state == BODY_LENGTH || body->state == BODY_DATA)
            return take_data(body, in, ret_piece);
        step = read_framing(body, in->ptr[0]);
        *in = notify_str_of(in->ptr + 1, in->len - 1);
    }
    return step;
}
