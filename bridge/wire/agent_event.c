#include "wire/agent_event.h"

#include <stddef.h>

#include "wire/json_scan.h"

static const struct notify_str names[] = {
    [AGENT_MESSAGE] = NOTIFY_STR_INIT("\"message\""),
    [AGENT_ERROR] = NOTIFY_STR_INIT("\"error\""),
    [AGENT_START] = NOTIFY_STR_INIT("\"start\""),
    [AGENT_TOKEN] = NOTIFY_STR_INIT("\"token\""),
    [AGENT_TOOL_CALL] = NOTIFY_STR_INIT("\"tool_call\""),
    [AGENT_TOOL_RESULT] = NOTIFY_STR_INIT("\"tool_result\""),
    [AGENT_END] = NOTIFY_STR_INIT("\"end\""),
};

enum agent_event agent_event_named(struct notify_str type)
{
    for (size_t i = AGENT_MESSAGE; i < sizeof(names) / sizeof(names[0]); i++)
        if (notify_str_eq(type, names[i]))
            return (enum agent_event)i;
    return AGENT_NONE;
}

const char *agent_event_name(enum agent_event agent)
{
    return names[agent].ptr; /* a literal */
}

static void find_request(void *ctx, struct notify_str name, struct notify_str value)
{
    if (notify_str_eq(name, NOTIFY_STR("request_id")))
        *(struct notify_str *)ctx = value;
}

struct notify_str agent_event_request(struct notify_str data)
{
    struct notify_str request = {NULL, 0};

    if (data.len > 0 && data.ptr[0] == '{')
        (void)json_scan_object(data, find_request, &request);
    return request.len > 0 && request.ptr[0] == '"' ? request : (struct notify_str){NULL, 0};
}
