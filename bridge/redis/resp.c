#include "redis/resp.h"

#include "base/number.h"

const struct resp *resp_member(const struct resp *map, const char *name)
{
    struct notify_str wanted = notify_str_z(name);

    if (map == NULL || (map->kind != RESP_MAP && map->kind != RESP_ARRAY))
        return NULL;
    for (size_t i = 0; i + 1 < map->len; i += 2)
        if (notify_str_eq(resp_str(map->items[i]), wanted))
            return map->items[i + 1];
    return NULL;
}

struct notify_str resp_str(const struct resp *reply)
{
    if (reply == NULL || reply->kind != RESP_STRING)
        return (struct notify_str){NULL, 0};
    return reply->str;
}

int64_t resp_integer(const struct resp *reply, int64_t missing)
{
    return reply == NULL || reply->kind != RESP_INTEGER ? missing : reply->integer;
}

int64_t resp_count(const struct resp *reply)
{
    return number_count(resp_integer(reply, 0));
}

bool resp_is_error(const struct resp *reply, const char *word)
{
    size_t len = strlen(word);

    return reply != NULL && reply->kind == RESP_ERROR && reply->str.len >= len &&
           memcmp(reply->str.ptr, word, len) == 0 &&
           (reply->str.len == len || reply->str.ptr[len] == ' ');
}

static bool is_one_of(const struct resp *reply, const char *const *words, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (resp_is_error(reply, words[i]))
            return true;
    return false;
}

bool resp_is_passing_error(const struct resp *reply)
{
    static const char *const words[] = {"BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"};

    return is_one_of(reply, words, sizeof(words) / sizeof(words[0]));
}

bool resp_splits(const struct resp *reply)
{
    static const char *const words[] = {"TRYAGAIN", "CROSSSLOT"};

    return is_one_of(reply, words, sizeof(words) / sizeof(words[0]));
}

bool resp_refuses_writes(const struct resp *reply)
{
    static const char *const words[] = {"OOM", "READONLY", "MISCONF", "NOREPLICAS"};

    return is_one_of(reply, words, sizeof(words) / sizeof(words[0]));
}
