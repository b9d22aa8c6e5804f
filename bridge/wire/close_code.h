/* close_code -- why a connection ends: the canonical codes (docs/protocol.md, "Close codes"). A
 * dialect may have others for some of them (dialect_close_code()). */
#ifndef CLOSE_CODE_H
#define CLOSE_CODE_H

enum conn_close_code {
    CONN_CLOSE_PARKED = 1, /* of no WebSocket: it goes on at the next poll, maybe elsewhere */
    CONN_CLOSE_NORMAL = 1000,
    CONN_CLOSE_GOING_AWAY = 1001,
    CONN_CLOSE_UNSUPPORTED = 1003,
    CONN_CLOSE_ABNORMAL = 1006,
    CONN_CLOSE_POLICY = 1008,
    CONN_CLOSE_TOO_BIG = 1009,
    CONN_CLOSE_INTERNAL = 1011,
    CONN_CLOSE_RESTART = 1012,
    CONN_CLOSE_TRY_AGAIN = 1013,
    CONN_CLOSE_ABUSE = 4400,
    CONN_CLOSE_UNAUTHORIZED = 4401,
    CONN_CLOSE_FORBIDDEN = 4403,
    CONN_CLOSE_IDLE = 4408,
    CONN_CLOSE_TOO_MANY = 4409,
    CONN_CLOSE_KICKED = 4410,
    CONN_CLOSE_TOO_SLOW = 4413,
    CONN_CLOSE_RATE_LIMITED = 4429,
};

#endif
