#include "net/carried.h"

#include "net/addresses.h"
#include "net/carrier.h"
#include "net/http_conn.h"
#include "net/stream.h"

static void begin(struct carried *carried, struct transport *transport, struct address *address,
                  const struct conn_kind *carrier)
{
    struct conn *conn = &carried->conn;

    carried->carrier = carrier;
    conn->kind = CONN_CARRIED;
    conn->framing = CONN_RELAYED;
    conn->fd = -1;
    conn->transport = transport;
    conn->address = address;
    conn->code = CONN_CLOSE_ABNORMAL;
}

void carried_begin(struct carried *carried, struct conn *by, const struct conn_kind *carrier)
{
    begin(carried, by->transport, by->address, carrier);
    carried->conn.busy = by->busy;
}

void carried_begin_alone(struct carried *carried, struct transport *transport,
                         struct address *address, const struct conn_kind *carrier)
{
    begin(carried, transport, address, carrier);
}

struct transport *carried_transport(const struct exchange *exchange)
{
    return exchange_transport(exchange);
}

void carried_go_direct(struct carried *carried, const struct conn *by)
{
    carried->conn.stream = by->stream;
    carried->conn.fd = by->fd;
    carried->conn.framing = CONN_BARE;
}

void carried_drained(struct carried *carried)
{
    conn_drained(&carried->conn);
}

void carried_end(struct carried *carried, int code)
{
    if (carried->conn.state == CONN_ENDED)
        return;
    carried->conn.code = (uint16_t)code;
    conn_end(&carried->conn);
}

void carried_take_down(struct carried *carried, int code)
{
    if (carried->conn.state != CONN_ENDED)
        carried->conn.code = (uint16_t)code;
    conn_take_down(&carried->conn);
}
