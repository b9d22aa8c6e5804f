/* args -- see args.h. */
#include "server/args.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/versions.h"
#include "message/render.h"
#include "server/replay.h"

#define QUOTED_MAX 40 /* bytes of a wrong value that an error reply repeats */

void args_init(struct args *args, struct rm_string **argv, int argc, int first)
{
    args->argv = argv;
    args->argc = argc;
    args->pos = first;
    args->text_before = NULL;
    args->error[0] = '\0';
}

bool args_fail(struct args *args, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(args->error, sizeof args->error, format, list);
    va_end(list);
    return false;
}

/* An error reply is one line of the protocol: a line feed of a peer's would end it early. */
static bool is_quotable(struct notify_str text)
{
    if (text.len == 0 || text.len > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

bool args_fail_value(struct args *args, const char *name, const char *wanted,
                     struct notify_str value)
{
    if (!is_quotable(value))
        return args_fail(args, "ERR %s must be %s", name, wanted);
    return args_fail(args, "ERR %s must be %s, not '%.*s'", name, wanted, (int)value.len,
                     value.ptr);
}

bool args_done(const struct args *args)
{
    return args->pos >= args->argc;
}

struct notify_str args_at(const struct args *args, int pos)
{
    return rm_str(args->argv[pos]);
}

bool args_is_keyword(struct notify_str text, struct notify_str keyword)
{
    if (text.len != keyword.len)
        return false;
    if (memcmp(text.ptr, keyword.ptr, keyword.len) == 0) /* as nearly everybody writes it */
        return true;
    for (size_t i = 0; i < keyword.len; i++) {
        char c = text.ptr[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c != keyword.ptr[i])
            return false;
    }
    return true;
}

bool args_take_keyword(struct args *args, const char *keyword)
{
    if (args_done(args) || !args_is_keyword(args_at(args, args->pos), notify_str_z(keyword)))
        return false;
    args->pos++;
    return true;
}

bool args_take_str(struct args *args, const char *name, struct notify_str *ret_value)
{
    if (args_done(args))
        return args_fail(args, "ERR syntax error: %s lacks its value", name);
    *ret_value = args_at(args, args->pos++);
    return true;
}

bool args_take_text(struct args *args, const char *name, struct notify_str *ret_value)
{
    args->text_before = name;
    return args_take_str(args, name, ret_value);
}

struct notify_str args_cut(struct notify_str *text, char end)
{
    const char *found = text->len == 0 ? NULL : memchr(text->ptr, end, text->len);
    size_t len = found == NULL ? text->len : (size_t)(found - text->ptr);
    struct notify_str word = notify_str_of(text->ptr, len);
    size_t skip = found == NULL ? len : len + 1;

    *text = notify_str_of(text->ptr + skip, text->len - skip);
    return word;
}

bool args_is_number(struct notify_str text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    return notify_id_take_number(&text, ret_value) && text.len == 0 && *ret_value >= min &&
           *ret_value <= max;
}

bool args_take_number(struct args *args, const char *name, uint64_t min, uint64_t max,
                      uint64_t *ret_value)
{
    struct notify_str text, rest;
    uint64_t value;
    char wanted[80];

    if (!args_take_str(args, name, &text))
        return false;
    rest = text;
    if (notify_id_take_number(&rest, &value) && rest.len == 0 && value >= min && value <= max) {
        *ret_value = value;
        return true;
    }
    snprintf(wanted, sizeof wanted, "an integer from %" PRIu64 " to %" PRIu64, min, max);
    return args_fail_value(args, name, wanted, text);
}

static bool is_number(struct notify_str word)
{
    uint64_t value;

    return notify_id_take_number(&word, &value) && word.len == 0;
}

bool args_take_count(struct args *args, const char *name, const char *what, uint64_t max,
                     uint64_t *ret_count)
{
    char hint[80];

    if (args_done(args) || is_number(args_at(args, args->pos)))
        return args_take_number(args, name, 1, max, ret_count);
    snprintf(hint, sizeof hint, "the number of %s comes first: %s", what, name);
    return args_take_number(args, hint, 1, max, ret_count);
}

bool args_take_id(struct args *args, const char *name, uint64_t missing_seq,
                  struct notify_id *ret_id)
{
    struct notify_str text;

    if (!args_take_str(args, name, &text))
        return false;
    if (notify_id_parse(text, missing_seq, ret_id))
        return true;
    return args_fail_value(args, name, "an id such as 1795208400123-0", text);
}

/* Cuts a leading '(' off. */
static bool cut_exclusive(struct notify_str *text)
{
    if (text->len == 0 || text->ptr[0] != '(')
        return false;
    *text = notify_str_of(text->ptr + 1, text->len - 1);
    return true;
}

static bool fail_range(struct args *args, const char *end, struct notify_str value)
{
    return args_fail_value(args, end, "-, +, an id or (id", value);
}

/* An id of a range, up to the greatest numbers that a stream's id could have. */
static bool parse_range_id(struct notify_str text, uint64_t missing_seq, struct notify_id *ret_id)
{
    struct notify_str rest = text;
    uint64_t number;

    if (notify_id_parse(text, missing_seq, ret_id))
        return true;
    if (!notify_id_take_number(&rest, &number) || number <= NOTIFY_ID_MAX_MS)
        return false;
    *ret_id = NOTIFY_ID_GREATEST;
    if (rest.len == 0)
        return true;
    rest = notify_str_of(rest.ptr + 1, rest.len - 1); /* what ended the number is no digit */
    return rest.ptr[-1] == '-' && notify_id_take_number(&rest, &number) && rest.len == 0;
}

/* '-', '+' or an id, which gets missing_seq; *ret_exclusive: '(' stood before it. */
static bool take_range_end(struct args *args, const char *name, uint64_t missing_seq,
                           struct notify_id *ret_id, bool *ret_exclusive)
{
    struct notify_str text, id_text;

    if (!args_take_str(args, name, &text))
        return false;
    id_text = text;
    *ret_exclusive = cut_exclusive(&id_text);
    if (!*ret_exclusive && notify_str_eq(text, NOTIFY_STR("-")))
        *ret_id = (struct notify_id){0, 0};
    else if (!*ret_exclusive && notify_str_eq(text, NOTIFY_STR("+")))
        *ret_id = NOTIFY_ID_GREATEST;
    else if (!parse_range_id(id_text, missing_seq, ret_id))
        return fail_range(args, name, text);
    return true;
}

bool args_take_range_start(struct args *args, struct notify_id *ret_id)
{
    struct notify_id id;
    bool exclusive;

    if (!take_range_end(args, "start", 0, &id, &exclusive))
        return false;
    /* No entry has the greatest id: "(" before it leaves nothing, as it does without. */
    *ret_id = exclusive && notify_id_cmp(id, NOTIFY_ID_GREATEST) < 0 ? notify_id_after(id) : id;
    return true;
}

bool args_take_range_end(struct args *args, struct notify_id *ret_id)
{
    struct notify_id id;
    bool exclusive;

    if (!take_range_end(args, "end", UINT64_MAX, &id, &exclusive))
        return false;
    if (exclusive && notify_id_is_zero(id))
        return fail_range(args, "end", args_at(args, args->pos - 1));
    *ret_id = exclusive ? notify_id_before(id) : id;
    return true;
}

bool args_take_level(struct args *args, enum entry_level *ret_level)
{
    struct notify_str text;

    if (!args_take_str(args, "LEVEL", &text))
        return false;
    for (int level = 0; level < LEVEL_COUNT; level++) {
        struct notify_str name = render_level((enum entry_level)level);
        if (name.len == text.len && strncasecmp(name.ptr, text.ptr, name.len) == 0) {
            *ret_level = (enum entry_level)level;
            return true;
        }
    }
    return args_fail_value(args, "LEVEL", "info, success, warning, error or critical", text);
}

bool args_take_entity(struct args *args, struct notify_str *ret_type, struct notify_str *ret_id)
{
    return args_take_str(args, "ENTITY type", ret_type) &&
           args_take_str(args, "ENTITY id", ret_id) &&
           (ret_type->len > 0 || args_fail(args, "ERR ENTITY type must not be empty"));
}

bool args_check_key(struct args *args, struct rm_string *key)
{
    return utf8_is_valid(rm_str(key)) || args_fail(args, "ERR key must be valid UTF-8");
}

static int compare_texts(const void *a, const void *b)
{
    return notify_str_cmp(*(const struct notify_str *)a, *(const struct notify_str *)b);
}

bool args_check_distinct(struct args *args, int first, size_t count, const char *what)
{
    struct notify_str *texts = mem_try_alloc(count * sizeof texts[0]);
    size_t i = 1;

    if (texts == NULL)
        return args_fail(args, "ERR not enough memory; nothing was changed");
    for (size_t k = 0; k < count; k++)
        texts[k] = args_at(args, first + (int)k);
    qsort(texts, count, sizeof texts[0], compare_texts);
    while (i < count && !notify_str_eq(texts[i - 1], texts[i]))
        i++;
    mem_free(texts);
    return i >= count || args_fail(args, "ERR %s must be named once", what);
}

bool args_check_count(struct args *args, size_t count, size_t max, const char *what)
{
    return !limits_forbid(count, max) ||
           args_fail(args, "ERR there must be at most %zu %s", max, what);
}

/* The word before a part that may be skipped: an option of every command, as it were. */
static bool is_may(struct notify_str word)
{
    return notify_str_eq(word, NOTIFY_STR(VERSIONS_MAY));
}

/* Its number, or count: the word is none of them. */
static size_t find_option(struct notify_str word, const struct arg_option *options, size_t count,
                          bool in_part)
{
    size_t i = 0;

    while (i < count && (options[i].len != word.len ||
                         !args_is_keyword(word, notify_str_of(options[i].name, options[i].len))))
        i++;
    return i < count && options[i].is_part && !in_part ? count : i;
}

bool args_is_option(struct notify_str word, const struct arg_option *options, size_t count)
{
    return is_may(word) || find_option(word, options, count, false) < count;
}

bool args_take_names(struct args *args, const char *what, const struct arg_option *options,
                     size_t count)
{
    int first = args->pos++;

    while (!args_done(args) && !args_is_option(args_at(args, args->pos), options, count))
        args->pos++;
    return args->pos == first + 1 || !args_is_option(args_at(args, first), options, count) ||
           args_fail(args, "ERR syntax error: at least one %s is needed", what);
}

/* A word in capitals was meant as an option. */
static bool is_capitals(struct notify_str word)
{
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] < 'A' || word.ptr[i] > 'Z')
            return false;
    return true;
}

static bool fail_unknown(struct args *args, struct notify_str word)
{
    char hint[64] = "";

    if (args->text_before != NULL && !is_capitals(word))
        snprintf(hint, sizeof hint, " (quote the %s?)", args->text_before);
    if (!is_quotable(word))
        return args_fail(args, "ERR syntax error: unknown option%s", hint);
    return args_fail(args, "ERR syntax error: unknown option '%.*s'%s", (int)word.len, word.ptr,
                     hint);
}

bool args_check_internal(struct args *args, const char *name)
{
    return replay_may_skip() ||
           args_fail(args, "ERR %s is internal: it is taken from the primary and the AOF alone",
                     name);
}

bool args_take_may(struct args *args, struct args *ret_part)
{
    uint64_t count;

    args->pos++;
    if (!args_take_number(args, "MAY", 1, (uint64_t)args->argc, &count))
        return false;
    if (count > (uint64_t)(args->argc - args->pos))
        return args_fail(args, "ERR syntax error: MAY must be the number of the words that follow");
    args_init(ret_part, args->argv, args->pos + (int)count, args->pos);
    args->pos += (int)count;
    return true;
}

static bool take_options(struct args *args, const struct arg_option *options, size_t count,
                         void *into, uint32_t *seen, bool in_part);

/* The option of a part, or nothing if its name is of a later version. */
static bool take_part(struct args *args, const struct arg_option *options, size_t count, void *into,
                      uint32_t *seen)
{
    struct args part;

    if (!args_take_may(args, &part))
        return false;
    if (is_may(args_at(&part, part.pos)) ||
        find_option(args_at(&part, part.pos), options, count, true) == count ||
        take_options(&part, options, count, into, seen, true))
        return true;
    return args_fail(args, "%s", part.error);
}

static bool take_options(struct args *args, const struct arg_option *options, size_t count,
                         void *into, uint32_t *seen, bool in_part)
{
    while (!args_done(args)) {
        struct notify_str word = args_at(args, args->pos);
        size_t i;

        if (is_may(word) && replay_may_skip()) {
            if (!take_part(args, options, count, into, seen))
                return false;
            continue;
        }
        i = find_option(word, options, count, in_part);
        if (i == count)
            return fail_unknown(args, word);
        if ((*seen & (1u << i)) != 0 && !options[i].may_repeat)
            return args_fail(args, "ERR syntax error: %s is given twice", options[i].name);
        if (options[i].is_internal && !args_check_internal(args, options[i].name))
            return false;
        *seen |= 1u << i;
        args->pos++;
        if (options[i].take != NULL && !options[i].take(args, into))
            return false;
        args->text_before = options[i].is_text ? options[i].name : NULL;
    }
    return true;
}

bool args_take_options(struct args *args, const struct arg_option *options, size_t count,
                       void *into, uint32_t *ret_seen)
{
    *ret_seen = 0;
    return take_options(args, options, count, into, ret_seen, false);
}
