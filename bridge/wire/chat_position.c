#include "wire/chat_position.h"

#include <string.h>

static bool is_request(struct notify_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.ptr[i] < '0' || text.ptr[i] > '9') && (text.ptr[i] < 'a' || text.ptr[i] > 'f') &&
            text.ptr[i] != '-')
            return false;
    return text.len == CHAT_REQUEST_LEN;
}

static size_t put(char *out, size_t at, struct notify_str text)
{
    memcpy(out + at, text.ptr, text.len);
    return at + text.len;
}

static size_t put_number(char *out, size_t at, uint64_t number)
{
    char digits[20], *begin = notify_id_put_number(digits + sizeof(digits), number);

    return put(out, at, notify_str_of(begin, (size_t)(digits + sizeof(digits) - begin)));
}

size_t chat_position_format(char out[CHAT_POSITION_MAX], const struct chat_position *position)
{
    char id[NOTIFY_ID_TEXT_MAX + 1];
    size_t at;

    if (!is_request(position->request) || position->key.len > NOTIFY_KEY_MAX)
        return 0;
    at = put(out, 0, notify_str_of(id, notify_id_format(id, position->id)));
    out[at++] = '.';
    at = put_number(out, at, position->seq);
    out[at++] = '.';
    at = put(out, at, position->request);
    out[at++] = '.';
    return at + base64url_encode(out + at, position->key.ptr, position->key.len);
}

/* Up to the next dot, which is taken off with it; all of text if there is none. */
static struct notify_str take_part(struct notify_str *text)
{
    const char *dot = text->len == 0 ? NULL : memchr(text->ptr, '.', text->len);
    struct notify_str part =
        notify_str_of(text->ptr, dot == NULL ? text->len : (size_t)(dot - text->ptr));
    size_t taken = part.len + (dot != NULL);

    *text = notify_str_of(text->ptr + taken, text->len - taken);
    return part;
}

/* The rest of text, which is the key. */
static bool read_key(struct notify_str text, struct notify_str *ret, char key[NOTIFY_KEY_MAX])
{
    uint8_t bytes[BASE64URL_DECODED_MAX(BASE64URL_ENCODED_LEN(NOTIFY_KEY_MAX))];
    ssize_t len;

    if (text.len == 0 || text.len > BASE64URL_ENCODED_LEN(NOTIFY_KEY_MAX))
        return false;
    len = base64url_decode(bytes, text);
    if (len <= 0 || len > NOTIFY_KEY_MAX)
        return false;
    memcpy(key, bytes, (size_t)len);
    *ret = notify_str_of(key, (size_t)len);
    return true;
}

bool chat_position_parse(struct notify_str text, struct chat_position *ret,
                         char key[NOTIFY_KEY_MAX])
{
    struct notify_str id = take_part(&text), seq = take_part(&text);

    ret->request = take_part(&text);
    return notify_id_parse(id, 0, &ret->id) && notify_id_take_number(&seq, &ret->seq) &&
           seq.len == 0 && is_request(ret->request) && read_key(text, &ret->key, key);
}
