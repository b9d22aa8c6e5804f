/* Any bytes as a packet: what is one is JSON that may be handed on, and is written, head and JSON,
 * as it was read. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "wire/socketio_packet.h"
#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const uint8_t *data, size_t size, struct notify_str part)
{
    const uint8_t *at = (const uint8_t *)part.ptr;

    assert(part.len == 0 || (at >= data && at + part.len <= data + size));
    assert(part.len == 0 || memchr(part.ptr, '\x1e', part.len) == NULL);
}

static void check_head(const struct socketio_packet *packet, const uint8_t *data, size_t size)
{
    char out[SOCKETIO_HEAD_MAX];
    size_t len = socketio_write_head(out, packet);
    bool comma = packet->nsp.len > 1 && len + packet->json.len == size + 2;

    assert(len <= SOCKETIO_HEAD_MAX && out[0] == '4');
    if (packet->nsp.len == 1 && memchr(data, '/', size - packet->json.len) != NULL)
        return; /* "/," was written out */
    assert(len + packet->json.len == size + 1 || comma);
    assert(memcmp(out + 1, data, len - 1 - comma) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct socketio_packet packet;

    if (!socketio_read(notify_str_of((const char *)data, size), &packet))
        return 0;
    assert(packet.attachments <= SOCKETIO_ATTACHMENTS_MAX);
    assert(packet.nsp.len >= 1 && packet.nsp.len <= SOCKETIO_NSP_MAX);
    assert(packet.id.len <= SOCKETIO_ID_DIGITS);
    check_inside(data, size, packet.json);
    check_inside(data, size, packet.event);
    check_inside(data, size, packet.args);
    check_inside(data, size, packet.arg);
    assert(packet.json.ptr + packet.json.len == (const char *)data + size || packet.json.len == 0);
    assert(packet.event.len == 0 || json_scan_value(packet.event));
    assert((packet.argc > 0) == (packet.arg.len > 0));
    assert(packet.argc == 0 || json_scan_value(packet.arg));
    check_head(&packet, data, size);
    return 0;
}
