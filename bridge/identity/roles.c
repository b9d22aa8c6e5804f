#include "identity/roles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "identity/pattern.h"

static const char *const words[RIGHT_COUNT] = {
    [RIGHT_CATEGORIES] = "categories",
    [RIGHT_PERMITTED] = "permitted",
    [RIGHT_FOLLOW] = "follow",
    [RIGHT_SUBSCRIBE] = "subscribe",
    [RIGHT_SESSIONS] = "sessions",
    [RIGHT_CHANNELS] = "channels",
    [RIGHT_PUBLISH] = "publish",
    [RIGHT_SEND] = "send",
    [RIGHT_SEND_SESSIONS] = "send_sessions",
    [RIGHT_PRESENCE] = "presence",
    [RIGHT_KICK] = "kick",
    [RIGHT_AGENT] = "agent",
    [RIGHT_ADMIN] = "admin",
};

const char *right_word(enum right right)
{
    return words[right];
}

/* What is wrong with a line; NULL text: nothing. */
struct complaint {
    const char *text;
    struct notify_str word;
    bool no_memory;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word off *line; empty at its end or at a comment. */
static struct notify_str take_word(struct notify_str *line)
{
    struct notify_str word;

    while (line->len > 0 && is_blank(line->ptr[0]))
        *line = notify_str_of(line->ptr + 1, line->len - 1);
    if (line->len == 0 || line->ptr[0] == '#')
        return (struct notify_str){NULL, 0};
    word = notify_str_of(line->ptr, 0);
    while (word.len < line->len && !is_blank(word.ptr[word.len]))
        word.len++;
    *line = notify_str_of(line->ptr + word.len, line->len - word.len);
    return word;
}

static struct complaint complain(const char *text, struct notify_str word)
{
    return (struct complaint){.text = text, .word = word};
}

static struct complaint no_memory(void)
{
    return (struct complaint){.text = "out of memory", .no_memory = true};
}

static struct complaint begin_role(struct roles *roles, struct notify_str line)
{
    struct notify_str name = take_word(&line), more = take_word(&line);
    struct role *at;

    if (name.len == 0)
        return complain("a role needs a name", name);
    if (more.len > 0)
        return complain("a role's name is one word", more);
    if (name.len > ROLE_NAME_MAX)
        return complain("a role's name has at most " TEXT_OF(ROLE_NAME_MAX) " bytes", name);
    if (roles_find(roles, name) != NULL)
        return complain("this role is there already", name);
    if (roles->len == ROLES_MAX)
        return complain("there are more than " TEXT_OF(ROLES_MAX) " roles", name);
    at = realloc(roles->at, (roles->len + 1) * sizeof(struct role));
    if (at == NULL)
        return no_memory();
    roles->at = at;
    roles->at[roles->len++] = (struct role){.name = name};
    return complain(NULL, name);
}

static struct complaint add_pattern(struct patterns *patterns, enum right right,
                                    struct notify_str word)
{
    struct notify_str *at;

    if (word.len > PATTERN_MAX)
        return complain("a pattern has at most " TEXT_OF(PATTERN_MAX) " bytes", word);
    if (right == RIGHT_FOLLOW && memchr(word.ptr, '*', word.len) != NULL)
        return complain("what is followed at once is named without '*'", word);
    if (patterns->len == ROLE_PATTERNS_MAX)
        return complain("there are more than " TEXT_OF(ROLE_PATTERNS_MAX) " patterns", word);
    at = realloc(patterns->at, (patterns->len + 1) * sizeof(struct notify_str));
    if (at == NULL)
        return no_memory();
    patterns->at = at;
    patterns->at[patterns->len++] = word;
    return complain(NULL, word);
}

static struct complaint add_patterns(struct roles *roles, struct notify_str word,
                                     struct notify_str line)
{
    struct complaint bad = complain(NULL, word);
    enum right right = 0;

    while (right < RIGHT_COUNT && !notify_str_eq(word, notify_str_z(words[right])))
        right++;
    if (right == RIGHT_COUNT)
        return complain("there is no such word", word);
    if (roles->len == 0)
        return complain("it stands before the first role", word);
    while (bad.text == NULL && (word = take_word(&line)).len > 0)
        bad = add_pattern(&roles->at[roles->len - 1].rights[right], right, word);
    return bad;
}

static struct complaint read_line(struct roles *roles, struct notify_str line)
{
    struct notify_str word = take_word(&line);

    if (word.len == 0)
        return complain(NULL, word);
    return notify_str_eq(word, NOTIFY_STR("role")) ? begin_role(roles, line)
                                                   : add_patterns(roles, word, line);
}

static int tell(char error[ROLES_ERROR_MAX], size_t number, const struct complaint *bad)
{
    int len = bad->word.len > 40 ? 40 : (int)bad->word.len;

    if (bad->no_memory)
        return -ENOMEM;
    (void)snprintf(error, ROLES_ERROR_MAX, "line %zu: %s%s%.*s", number, bad->text,
                   len > 0 ? ": " : "", len, len > 0 ? bad->word.ptr : "");
    return -EINVAL;
}

static int read_lines(struct roles *roles, size_t len, char error[ROLES_ERROR_MAX])
{
    struct notify_str rest = notify_str_of(roles->text, len);

    for (size_t number = 1; rest.len > 0; number++) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        struct notify_str line =
            notify_str_of(rest.ptr, end == NULL ? rest.len : (size_t)(end - rest.ptr));
        struct complaint bad = read_line(roles, line);

        if (bad.text != NULL)
            return tell(error, number, &bad);
        rest =
            notify_str_of(rest.ptr + line.len + (end != NULL), rest.len - line.len - (end != NULL));
    }
    if (roles->len > 0)
        return 0;
    /* It is being written, or is no file at all. */
    (void)snprintf(error, ROLES_ERROR_MAX, "there is no role in it");
    return -EINVAL;
}

int roles_read(struct roles *roles, struct notify_str text, char error[ROLES_ERROR_MAX])
{
    struct roles fresh = {.text = malloc(text.len + 1), .by_category = roles->by_category};
    int status;

    if (fresh.text == NULL)
        return -ENOMEM;
    if (text.len > ROLES_BYTES_MAX || (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)) {
        (void)snprintf(error, ROLES_ERROR_MAX,
                       "it is longer than " TEXT_OF(ROLES_BYTES_MAX) " bytes, or no text");
        status = -EINVAL;
    } else {
        if (text.len > 0)
            memcpy(fresh.text, text.ptr, text.len);
        status = read_lines(&fresh, text.len, error);
    }
    if (status != 0) {
        roles_release(&fresh);
        return status;
    }
    roles_release(roles);
    *roles = fresh;
    return 0;
}

void roles_release(struct roles *roles)
{
    for (size_t i = 0; i < roles->len; i++)
        for (size_t right = 0; right < RIGHT_COUNT; right++)
            free(roles->at[i].rights[right].at);
    free(roles->at);
    free(roles->text);
    *roles = (struct roles){.by_category = roles->by_category};
}

bool roles_give(const struct roles *roles, enum right right)
{
    for (size_t i = 0; i < roles->len; i++)
        if (roles->at[i].rights[right].len > 0)
            return true;
    return false;
}

const struct role *roles_find(const struct roles *roles, struct notify_str name)
{
    for (size_t i = 0; i < roles->len; i++)
        if (notify_str_eq(roles->at[i].name, name))
            return &roles->at[i];
    return NULL;
}
