#include <stdlib.h>
#include <string.h>

#include "echo.h"
#include "net/conn.h"
#include "wire/ws_frame.h"

static void send_back(struct conn *conn, uint8_t opcode, struct notify_str message)
{
    uint8_t *frame = malloc(WS_FRAME_HEADER_MAX + message.len);
    size_t len;

    if (frame == NULL)
        abort();
    len = ws_frame_header(frame, message.len);
    frame[0] = (uint8_t)(0x80 | opcode);
    if (message.len > 0)
        memcpy(frame + len, message.ptr, message.len);
    if (conn_write(conn, frame, len + message.len) == CONN_BUSY)
        conn_pause_input(conn, true);
    free(frame);
}

static void on_message(void *peer, struct notify_str text)
{
    send_back(peer, 0x1, text);
}

static void on_binary(void *peer, struct notify_str bytes)
{
    send_back(peer, 0x2, bytes);
}

static void on_drained(void *peer)
{
    conn_pause_input(peer, false);
}

static void on_busy(void *peer)
{
    conn_pause_input(peer, true);
}

static void on_closed(void *peer, int code)
{
    (void)peer;
    (void)code;
}

void echo_raw_open(struct conn *conn)
{
    static const struct peer_handlers handlers = {.on_message = on_message,
                                                  .on_binary = on_binary,
                                                  .on_drained = on_drained,
                                                  .on_busy = on_busy,
                                                  .on_closed = on_closed,
                                                  .max_message_bytes = ECHO_RAW_MAX,
                                                  .beats_itself = true};

    conn_set_peer(conn, &handlers, conn);
}
