/* Any bytes as JSON and as text: what minify accepts it accepts again unchanged, and escaping is
 * undone by unescaping. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json_text.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_value(struct notify_str input)
{
    static struct text_buf first;
    static struct text_buf second;

    text_buf_clear(&first);
    text_buf_clear(&second);
    if (!json_text_minify(&first, input)) {
        require(first.len == 0 && !json_text_is_minified(input));
        return;
    }
    require(first.len <= input.len);
    require(utf8_is_valid(text_buf_str(&first)));
    require(json_text_is_minified(text_buf_str(&first)));
    require(json_text_minify(&second, text_buf_str(&first)));
    require(notify_str_eq(text_buf_str(&first), text_buf_str(&second)));
}

static void check_text(struct notify_str input)
{
    static struct text_buf escaped;
    static struct text_buf plain;

    text_buf_clear(&escaped);
    text_buf_clear(&plain);
    if (!json_text_escape(&escaped, input)) {
        require(!utf8_is_valid(input) && escaped.len == 0);
        json_text_escape_lossy(&escaped, input);
        require(json_text_is_escaped(text_buf_str(&escaped)));
        return;
    }
    require(json_text_is_escaped(text_buf_str(&escaped)));
    json_text_unescape(&plain, text_buf_str(&escaped));
    require(notify_str_eq(text_buf_str(&plain), input));
    require(json_text_equals(text_buf_str(&escaped), input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str input = notify_str_of((const char *)data, size);
    static struct text_buf plain;

    check_value(input);
    check_text(input);
    if (json_text_is_escaped(input)) {
        text_buf_clear(&plain);
        json_text_unescape(&plain, input);
        require(json_text_equals(input, text_buf_str(&plain)));
    }
    return 0;
}
