#include "requests/rest_id.h"

#include <string.h>

#include "clients/logs.h"
#include "wire/entry_uuid.h"

/* False: the tag would not say which log it is. */
static bool find_own_tag(const struct logs *logs, struct notify_str log, uint16_t *ret)
{
    struct notify_str found;

    *ret = log.len == 0 ? 0 : entry_uuid_tag(log);
    return log.len == 0 || logs_find_tag(logs, *ret, &found) == 1;
}

size_t rest_id_format(char out[REST_ID_TEXT_MAX + 1], const struct logs *logs,
                      const struct rest_id *id)
{
    struct entry_uuid uuid = {.id = id->id};
    size_t len;

    if (find_own_tag(logs, id->log, &uuid.tag) && entry_uuid_format(out, &uuid))
        return ENTRY_UUID_LEN;
    len = notify_id_format(out, id->id);
    if (id->log.len > 0) {
        out[len++] = ':';
        memcpy(out + len, id->log.ptr, id->log.len);
        len += id->log.len;
        out[len] = '\0';
    }
    return len;
}

static enum rest_id_answer resolve(const struct entry_uuid *uuid, const struct logs *logs,
                                   struct rest_id *ret)
{
    *ret = (struct rest_id){.id = uuid->id};
    if (uuid->tag != 0 && logs_find_tag(logs, uuid->tag, &ret->log) != 1)
        return REST_ID_UNKNOWN;
    return REST_ID_GOOD;
}

/* "<id>", "<id>:<key>" */
static enum rest_id_answer parse_plain(struct notify_str text, const struct logs *logs,
                                       struct rest_id *ret)
{
    const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    size_t len = colon == NULL ? text.len : (size_t)(colon - text.ptr);
    struct notify_str key =
        notify_str_of(colon == NULL ? NULL : colon + 1, colon == NULL ? 0 : text.len - len - 1);

    *ret = (struct rest_id){.log = {NULL, 0}};
    if (!notify_id_parse(notify_str_of(text.ptr, len), 0, &ret->id) ||
        (colon != NULL && key.len == 0))
        return REST_ID_BAD;
    for (size_t i = 0; i < logs->len; i++)
        if (notify_str_eq(logs->at[i], key))
            ret->log = logs->at[i];
    return key.len == ret->log.len ? REST_ID_GOOD : REST_ID_UNKNOWN;
}

enum rest_id_answer rest_id_parse(struct notify_str text, const struct logs *logs,
                                  struct rest_id *ret)
{
    struct entry_uuid uuid;

    switch (entry_uuid_parse(text, &uuid)) {
    case ENTRY_UUID_ENTRY:
        return resolve(&uuid, logs, ret);
    case ENTRY_UUID_FOREIGN:
        return REST_ID_UNKNOWN;
    case ENTRY_UUID_NONE:
        break;
    }
    return parse_plain(text, logs, ret);
}
