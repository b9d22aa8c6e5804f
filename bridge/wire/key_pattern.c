#include "wire/key_pattern.h"

#include <string.h>
#include <zlib.h>

#include "base/number.h"

#define PLACE_OF_NAME "%s"
#define PLACE_OF_PART "%h64"
#define PARTS 64
#define PART_LEN 2   /* digits */
#define A_DIGIT '\0' /* in what is compared: any, where text of a pattern cannot have this */

/* before, the number of the part, between, the name, after. */
struct pieces {
    struct notify_str before, between, after;
    bool has_part; /* if not, between is empty */
};

static struct pieces split(const char *pattern)
{
    const char *name = strstr(pattern, PLACE_OF_NAME), *part = strstr(pattern, PLACE_OF_PART);
    const char *before_end = part == NULL ? name : part;
    const char *between = part == NULL ? name : part + strlen(PLACE_OF_PART);

    return (struct pieces){
        .before = notify_str_of(pattern, (size_t)(before_end - pattern)),
        .between = notify_str_of(between, (size_t)(name - between)),
        .after = notify_str_z(name + strlen(PLACE_OF_NAME)),
        .has_part = part != NULL,
    };
}

/* Checks. */

/* Does a number stand there, as the first hash tag of what its keys will be? */
static bool is_tag(const char *pattern, const char *place)
{
    const char *open = strchr(pattern, '{');

    return open != NULL && open + 1 == place && place[strlen(PLACE_OF_PART)] == '}';
}

static const char *skip_part(const char *pattern, const char *place)
{
    return is_tag(pattern, place) ? strchr(place + 1, '%') : NULL;
}

#define A_KEY "a key has at most " TEXT_OF(NOTIFY_KEY_MAX) " bytes"
#define A_SMALL_PATTERN "must leave room for a name of " TEXT_OF(KEY_NAME_MAX) ": " A_KEY

const char *key_pattern_check(const char *pattern)
{
    const char *place = strchr(pattern, '%');

    if (place != NULL && strncmp(place, PLACE_OF_PART, strlen(PLACE_OF_PART)) == 0)
        place = skip_part(pattern, place);
    if (place == NULL || place[1] != 's' || strchr(place + 1, '%') != NULL)
        return "must hold %s exactly once, and no other % but those of one {%h64} in front of it";
    if (strlen(pattern) - strlen(PLACE_OF_NAME) > NOTIFY_KEY_MAX - KEY_NAME_MAX)
        return A_SMALL_PATTERN;
    return NULL;
}

/* What keys begin with, whatever their names. */
static struct notify_str opening_of(const struct pieces *pieces, char out[NOTIFY_KEY_MAX])
{
    size_t len = pieces->before.len;

    memcpy(out, pieces->before.ptr, len);
    if (pieces->has_part) {
        memset(out + len, A_DIGIT, PART_LEN);
        len += PART_LEN;
        memcpy(out + len, pieces->between.ptr, pieces->between.len);
        len += pieces->between.len;
    }
    return notify_str_of(out, len);
}

static bool may_be(char a, char b)
{
    return a == b || (a == A_DIGIT && b >= '0' && b <= '9') ||
           (b == A_DIGIT && a >= '0' && a <= '9');
}

static bool may_begin_alike(struct notify_str a, struct notify_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;

    for (size_t i = 0; i < len; i++)
        if (!may_be(a.ptr[i], b.ptr[i]))
            return false;
    return true;
}

static bool may_end_alike(struct notify_str a, struct notify_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;

    return memcmp(a.ptr + a.len - len, b.ptr + b.len - len, len) == 0;
}

bool key_patterns_meet(const char *a, const char *b)
{
    struct pieces x = split(a), y = split(b);
    char opening_of_x[NOTIFY_KEY_MAX], opening_of_y[NOTIFY_KEY_MAX];

    return may_begin_alike(opening_of(&x, opening_of_x), opening_of(&y, opening_of_y)) &&
           may_end_alike(x.after, y.after);
}

/* Keys. */

static void write_part(char out[PART_LEN], struct notify_str name)
{
    unsigned part = (unsigned)crc32(0, (const Bytef *)name.ptr, (uInt)name.len) % PARTS;

    out[0] = (char)('0' + part / 10);
    out[1] = (char)('0' + part % 10);
}

static char *append(char *at, struct notify_str text)
{
    memcpy(at, text.ptr, text.len);
    return at + text.len;
}

struct notify_str key_pattern_fill(const char *pattern, struct notify_str name,
                                   char out[NOTIFY_KEY_MAX])
{
    struct pieces p = split(pattern);
    size_t len =
        p.before.len + (p.has_part ? PART_LEN : 0) + p.between.len + name.len + p.after.len;
    char *at = out;

    if (name.len == 0 || len > NOTIFY_KEY_MAX)
        return (struct notify_str){NULL, 0};
    at = append(at, p.before);
    if (p.has_part) {
        write_part(at, name);
        at += PART_LEN;
    }
    (void)append(append(append(at, p.between), name), p.after);
    return notify_str_of(out, len);
}

static bool begins_with(struct notify_str text, struct notify_str with)
{
    return text.len >= with.len && memcmp(text.ptr, with.ptr, with.len) == 0;
}

static void skip(struct notify_str *text, size_t len)
{
    text->ptr += len;
    text->len -= len;
}

/* *ret_said: the number, if there is one; *ret_name: what stands for the name. */
static bool take_apart(const struct pieces *p, struct notify_str key, struct notify_str *ret_said,
                       struct notify_str *ret_name)
{
    size_t part_len = p->has_part ? PART_LEN : 0;
    size_t around = p->before.len + part_len + p->between.len + p->after.len;
    struct notify_str rest = key;

    if (key.len <= around || !begins_with(rest, p->before))
        return false;
    skip(&rest, p->before.len);
    *ret_said = notify_str_of(rest.ptr, part_len);
    skip(&rest, part_len);
    if (!begins_with(rest, p->between))
        return false;
    skip(&rest, p->between.len);
    rest.len -= p->after.len;
    *ret_name = rest;
    return memcmp(rest.ptr + rest.len, p->after.ptr, p->after.len) == 0;
}

static bool is_number_of(struct notify_str said, struct notify_str name)
{
    char part[PART_LEN];

    write_part(part, name);
    return memcmp(said.ptr, part, PART_LEN) == 0;
}

bool key_pattern_fits(const char *pattern, struct notify_str key, struct notify_str *ret_name)
{
    struct pieces p = split(pattern);
    struct notify_str said, name;

    if (!take_apart(&p, key, &said, &name) || (p.has_part && !is_number_of(said, name)))
        return false;
    *ret_name = name;
    return true;
}

bool key_pattern_resembles(const char *pattern, struct notify_str key)
{
    struct pieces p = split(pattern);
    struct notify_str said, name;

    return take_apart(&p, key, &said, &name);
}
