#include "redis/command_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

#define COUNT_BYTES (NUMBER_TEXT_MAX + 6) /* that a count in RESP takes, with a word's end */

static int reserve(struct command_text *text, size_t cap)
{
    char *bytes;

    if (cap <= text->cap)
        return 0;
    bytes = realloc(text->bytes, cap);
    if (bytes == NULL)
        return -ENOMEM;
    text->bytes = bytes;
    text->cap = cap;
    return 0;
}

static char *put_end(char *at)
{
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_count(char *at, char mark, size_t count)
{
    *at++ = mark;
    if (count < 10) { /* nearly all */
        *at++ = (char)('0' + count);
        return put_end(at);
    }
    at += number_text(at, (int64_t)count).len;
    return put_end(at);
}

static char *put_word(char *at, struct notify_str word)
{
    at = put_count(at, '$', word.len);
    if (word.len > 0)
        memcpy(at, word.ptr, word.len);
    return put_end(at + word.len);
}

/* hiredis can put a command together, too, but takes memory for each, and as long as all the rest
 * of sending it. */
int command_text_make(struct command_text *text, size_t argc, const struct notify_str *argv,
                      struct notify_str *ret)
{
    size_t cap = COUNT_BYTES;
    char *at;

    for (size_t i = 0; i < argc; i++)
        cap += COUNT_BYTES + argv[i].len;
    if (reserve(text, cap) != 0)
        return -ENOMEM;
    at = put_count(text->bytes, '*', argc);
    for (size_t i = 0; i < argc; i++)
        at = put_word(at, argv[i]);
    *ret = notify_str_of(text->bytes, (size_t)(at - text->bytes));
    return 0;
}

void command_text_release(struct command_text *text)
{
    free(text->bytes);
    *text = (struct command_text){0};
}
