/* packets -- a look at what Socket.IO's servers say; see packets.h. */
#include "packets.h"

#include <stddef.h>

#include "message.h"

#define SEPARATOR '\x1e'

/* The first that fits counts; is_whole: nothing may follow. */
static const struct {
    struct notify_str start;
    enum packet_kind kind;
    bool is_whole;
} kinds[] = {
    {NOTIFY_STR_INIT("42[\""), PACKET_EVENT, false},   {NOTIFY_STR_INIT("43"), PACKET_ACK, false},
    {NOTIFY_STR_INIT("40{"), PACKET_CONNECTED, false}, {NOTIFY_STR_INIT("0{"), PACKET_OPEN, false},
    {NOTIFY_STR_INIT("2"), PACKET_PING, true},         {NOTIFY_STR_INIT("6"), PACKET_NOOP, true},
    {NOTIFY_STR_INIT("1"), PACKET_CLOSE, true},
};

static struct notify_str str_from(struct notify_str text, size_t at)
{
    return notify_str_of(text.ptr + at, text.len - at);
}

static bool starts_with(struct notify_str text, struct notify_str start)
{
    return text.len >= start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

/* text: from behind the quote before the name. */
static struct packet event_read(struct notify_str text)
{
    const char *end = memchr(text.ptr, '"', text.len);

    if (end == NULL)
        return (struct packet){.kind = PACKET_UNKNOWN, .text = text};
    size_t len = (size_t)(end - text.ptr);
    return (struct packet){PACKET_EVENT, notify_str_of(text.ptr, len), str_from(text, len + 1)};
}

struct packet packet_read(struct notify_str text)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!starts_with(text, kinds[i].start) ||
            (kinds[i].is_whole && text.len > kinds[i].start.len))
            continue;
        if (kinds[i].kind == PACKET_EVENT)
            return event_read(str_from(text, kinds[i].start.len));
        return (struct packet){.kind = kinds[i].kind, .text = str_from(text, kinds[i].start.len)};
    }
    return (struct packet){.kind = PACKET_UNKNOWN, .text = text};
}

bool packet_next(struct notify_str *payload, struct notify_str *ret_packet)
{
    if (payload->len == 0)
        return false;
    const char *end = memchr(payload->ptr, SEPARATOR, payload->len);
    size_t len = end == NULL ? payload->len : (size_t)(end - payload->ptr);
    *ret_packet = notify_str_of(payload->ptr, len);
    *payload = str_from(*payload, end == NULL ? len : len + 1);
    return true;
}

bool packet_entry_id(const struct packet *event, struct notify_str key, struct notify_str *ret_id)
{
    struct notify_str found;

    return event->kind == PACKET_EVENT &&
           message_member(event->text, NOTIFY_STR("\"key\":\""), &found) &&
           notify_str_eq(found, key) &&
           message_member(event->text, NOTIFY_STR("\"id\":\""), ret_id);
}
