#include "wire/deflate_offer.h"

#include <stdio.h>
#include <string.h>

#include "wire/deflate.h"
#include "wire/http_head.h"

#define FIELD "Sec-WebSocket-Extensions"
#define NAME "permessage-deflate"
#define BLANKS " \t"
#define MIN_BITS 8
#define MAX_BITS 15

enum parameter {
    SERVER_NO_CONTEXT_TAKEOVER,
    CLIENT_NO_CONTEXT_TAKEOVER,
    SERVER_MAX_WINDOW_BITS,
    CLIENT_MAX_WINDOW_BITS,
    PARAMETERS,
};

enum value { NO_VALUE, BITS, BITS_OR_NONE };

static const struct {
    const char *name;
    enum value value;
} parameters[PARAMETERS] = {
    [SERVER_NO_CONTEXT_TAKEOVER] = {"server_no_context_takeover", NO_VALUE},
    [CLIENT_NO_CONTEXT_TAKEOVER] = {"client_no_context_takeover", NO_VALUE},
    [SERVER_MAX_WINDOW_BITS] = {"server_max_window_bits", BITS},
    [CLIENT_MAX_WINDOW_BITS] = {"client_max_window_bits", BITS_OR_NONE},
};

/* What one offer says: 0 for what it does not, else the bits, or 1. */
struct said {
    int of[PARAMETERS];
};

static struct notify_str trim(struct notify_str text)
{
    while (text.len > 0 && strchr(BLANKS, text.ptr[0]) != NULL)
        text = notify_str_of(text.ptr + 1, text.len - 1);
    while (text.len > 0 && strchr(BLANKS, text.ptr[text.len - 1]) != NULL)
        text.len--;
    return text;
}

/* Takes off what stands before the next c, and that; or all of it. False: there is none. */
static bool take(struct notify_str *rest, char c, struct notify_str *ret)
{
    const char *at = memchr(rest->ptr, c, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->ptr);

    *ret = trim(notify_str_of(rest->ptr, len));
    *rest =
        at == NULL ? notify_str_of(rest->ptr + len, 0) : notify_str_of(at + 1, rest->len - len - 1);
    return at != NULL;
}

/* 8 to 15, without zeros before it, with or without quotes around it (RFC 6455, 9.1). 0: it is
 * something else. */
static int read_bits(struct notify_str text)
{
    int bits = 0;

    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = notify_str_of(text.ptr + 1, text.len - 2);
    if (text.len == 0 || text.len > 2 || text.ptr[0] == '0')
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
        bits = bits * 10 + (text.ptr[i] - '0');
    }
    return bits >= MIN_BITS && bits <= MAX_BITS ? bits : 0;
}

/* What a parameter says, or 0: nothing that it may. */
static int read_value(enum value expected, bool has_value, struct notify_str value)
{
    if (!has_value)
        return expected == BITS ? 0 : 1;
    return expected == NO_VALUE ? 0 : read_bits(value);
}

static bool read_parameter(struct notify_str text, struct said *said)
{
    struct notify_str name;
    bool has_value = take(&text, '=', &name);

    for (size_t i = 0; i < PARAMETERS; i++) {
        if (!notify_str_eq(name, notify_str_z(parameters[i].name)))
            continue;
        if (said->of[i] != 0) /* twice */
            return false;
        said->of[i] = read_value(parameters[i].value, has_value, trim(text));
        return said->of[i] != 0;
    }
    return false;
}

static bool can_be_taken(struct notify_str rest, struct said *said)
{
    struct notify_str parameter;
    bool more = true;

    while (more) {
        more = take(&rest, ';', &parameter);
        if (!read_parameter(parameter, said))
            return false;
    }
    return said->of[SERVER_MAX_WINDOW_BITS] == 0 ||
           said->of[SERVER_MAX_WINDOW_BITS] >= DEFLATE_WINDOW_BITS;
}

enum deflate_offered deflate_offer_find(const struct http_head *head, struct deflate_offer *ret)
{
    enum deflate_offered offered = DEFLATE_NOT_OFFERED;
    struct http_list_at at = {0};
    struct notify_str rest, name;
    struct said said = {{0}};

    while (offered != DEFLATE_TAKEN && http_list_next(head, FIELD, &at, &rest)) {
        bool has_parameters = take(&rest, ';', &name);
        if (!notify_str_eq(name, NOTIFY_STR(NAME)))
            continue;
        said = (struct said){{0}};
        offered = !has_parameters || can_be_taken(rest, &said) ? DEFLATE_TAKEN : DEFLATE_DECLINED;
    }
    ret->names_window = said.of[SERVER_MAX_WINDOW_BITS] != 0;
    return offered;
}

int deflate_offer_answer(const struct deflate_offer *offer, char out[DEFLATE_ANSWER_MAX])
{
    char window[32] = "";

    if (offer->names_window)
        (void)snprintf(window, sizeof(window), "; %s=%d", parameters[SERVER_MAX_WINDOW_BITS].name,
                       DEFLATE_WINDOW_BITS);
    return snprintf(out, DEFLATE_ANSWER_MAX, "%s: %s; %s; %s%s\r\n", FIELD, NAME,
                    parameters[SERVER_NO_CONTEXT_TAKEOVER].name,
                    parameters[CLIENT_NO_CONTEXT_TAKEOVER].name, window);
}
