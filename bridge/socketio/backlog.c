#include "socketio/backlog.h"

#include "wire/engineio_packet.h"

static bool is_empty(const struct backlog *backlog)
{
    return backlog->at >= backlog->payloads.len;
}

void backlog_add(struct backlog *backlog, struct notify_str payload)
{
    static const char separator[] = {ENGINEIO_SEPARATOR};

    if (payload.len == 0)
        return;
    if (is_empty(backlog))
        backlog->at = backlog->payloads.len = 0;
    else
        parcel_append(&backlog->payloads, notify_str_of(separator, 1));
    parcel_append(&backlog->payloads, payload);
}

bool backlog_next(struct backlog *backlog, struct notify_str *ret_packet)
{
    struct engineio_walk walk = engineio_walk(backlog_rest(backlog));

    if (is_empty(backlog) || !engineio_next(&walk, ret_packet))
        return false;
    backlog->at = (size_t)(ret_packet->ptr + ret_packet->len - backlog->payloads.bytes) + 1;
    return true;
}

struct notify_str backlog_rest(const struct backlog *backlog)
{
    if (is_empty(backlog))
        return notify_str_of(backlog->payloads.bytes, 0);
    return notify_str_of(backlog->payloads.bytes + backlog->at,
                         backlog->payloads.len - backlog->at);
}

void backlog_release(struct backlog *backlog)
{
    parcel_release(&backlog->payloads);
    backlog->at = 0;
}
