/* ws_reader -- frames of a WebSocket client into messages and control frames. */
#include "wire/ws_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "wire/deflate.h"

/* RFC 6455, 5.2 */
enum opcode {
    OP_CONTINUATION = 0x0,
    OP_TEXT = 0x1,
    OP_BINARY = 0x2,
    OP_CLOSE = 0x8,
    OP_PING = 0x9,
    OP_PONG = 0xA,
};

#define OP_CONTROL_BIT 0x8
#define RSV1 0x40 /* of the first frame of a message: it is compressed (RFC 7692, 6) */
#define MAX_CONTROL_BYTES 125
#define FIRST_MESSAGE_BYTES 512

/* RFC 6455, 7.4.1 */
enum {
    CODE_PROTOCOL_ERROR = 1002,
    CODE_UNSUPPORTED = 1003,
    CODE_NONE = 1005,
    CODE_INVALID_DATA = 1007,
    CODE_POLICY = 1008,
    CODE_TOO_BIG = 1009,
    CODE_INTERNAL = 1011,
};

struct frame_head {
    size_t size; /* of the header itself */
    uint64_t len;
    uint8_t mask[4];
    uint8_t opcode, rsv;
    bool final, masked;
};

static enum ws_item_kind fail(struct ws_item *ret_item, int code, const char *why)
{
    *ret_item = (struct ws_item){.data = why, .len = strlen(why), .code = code};
    return WS_ERROR;
}

/* Fills *ret_head, or returns false when the header is not complete yet. */
static bool read_head(const struct ws_input *in, struct frame_head *ret_head)
{
    const uint8_t *p = in->ptr;
    size_t have = (size_t)(in->end - in->ptr);
    size_t length_bytes;

    if (have < 2)
        return false;
    *ret_head = (struct frame_head){
        .final = (p[0] & 0x80) != 0,
        .rsv = p[0] & 0x70,
        .opcode = p[0] & 0x0F,
        .masked = (p[1] & 0x80) != 0,
        .len = p[1] & 0x7F,
    };
    length_bytes = ret_head->len == 126 ? 2 : ret_head->len == 127 ? 8 : 0;
    ret_head->size = 2 + length_bytes + (ret_head->masked ? 4 : 0);
    /* Unmasked or oversized control frames are refused by their first bytes, without waiting. */
    if (have < ret_head->size)
        return !ret_head->masked || ((ret_head->opcode & OP_CONTROL_BIT) && length_bytes > 0);
    if (length_bytes > 0)
        ret_head->len = 0;
    for (size_t i = 0; i < length_bytes; i++)
        ret_head->len = ret_head->len << 8 | p[2 + i];
    if (ret_head->masked)
        memcpy(ret_head->mask, p + 2 + length_bytes, 4);
    return true;
}

/* Why a frame is a protocol error here; NULL if it is none. */
static const char *find_fault(const struct ws_reader *reader, const struct frame_head *head)
{
    bool control = (head->opcode & OP_CONTROL_BIT) != 0;

    if (head->rsv != 0 &&
        (head->rsv != RSV1 || !reader->inflates || control || head->opcode == OP_CONTINUATION))
        return "reserved bits set";
    if (head->opcode > (control ? OP_PONG : OP_BINARY))
        return "unknown opcode";
    if (!head->masked)
        return "frame not masked";
    if (control && !head->final)
        return "fragmented control frame";
    if (control && head->len > MAX_CONTROL_BYTES)
        return "control frame too long";
    if (!control && (head->opcode == OP_CONTINUATION) != reader->in_message)
        return reader->in_message ? "message within a message" : "nothing to continue";
    return NULL;
}

static void unmask(uint8_t *data, size_t len, const uint8_t mask[4], unsigned at)
{
    uint8_t turned[8]; /* the mask, twice, from the byte that is next */
    uint64_t wide, word;
    size_t i = 0;

    for (unsigned k = 0; k < 8; k++)
        turned[k] = mask[(at + k) & 3];
    memcpy(&wide, turned, 8);
    for (; i + 8 <= len; i += 8) {
        memcpy(&word, data + i, 8);
        word ^= wide;
        memcpy(data + i, &word, 8);
    }
    for (size_t k = 0; i < len; i++, k++)
        data[i] ^= turned[k];
}

/* The table of well-formed sequences (Unicode 15, table 3-7): what may follow a leading byte. */
static bool start_character(struct ws_reader *reader, uint8_t lead)
{
    static const struct {
        uint8_t first, last, need, lo, hi;
    } rows[] = {
        {0x00, 0x7F, 0, 0x00, 0x00}, {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF},
        {0xE1, 0xEC, 2, 0x80, 0xBF}, {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF},
        {0xF0, 0xF0, 3, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (lead < rows[i].first || lead > rows[i].last)
            continue;
        reader->utf8_need = rows[i].need;
        reader->utf8_lo = rows[i].lo;
        reader->utf8_hi = rows[i].hi;
        return true;
    }
    return false;
}

/* Whether data may follow what was checked before; false at the first byte that cannot. */
static bool check_utf8(struct ws_reader *reader, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint64_t word;

        if (reader->utf8_need > 0) {
            if (data[i] < reader->utf8_lo || data[i] > reader->utf8_hi)
                return false;
            reader->utf8_need--;
            reader->utf8_lo = 0x80;
            reader->utf8_hi = 0xBF;
            i++;
            continue;
        }
        while (i + 8 <= len) { /* nearly all is ASCII */
            memcpy(&word, data + i, 8);
            if (word & UINT64_C(0x8080808080808080))
                break;
            i += 8;
        }
        if (i < len && !start_character(reader, data[i++]))
            return false;
    }
    return true;
}

static void drop_message(struct ws_reader *reader)
{
    free(reader->message);
    reader->message = NULL;
    reader->len = 0;
    reader->cap = 0;
    reader->spent = false;
}

/* Grows with what has arrived, never with what was announced. */
static int append(struct ws_reader *reader, const uint8_t *data, size_t len)
{
    size_t need = reader->len + len;
    size_t cap = reader->cap == 0 ? FIRST_MESSAGE_BYTES : reader->cap;
    char *message;

    if (len == 0)
        return 0;
    while (cap < need)
        cap *= 2;
    if (cap != reader->cap) {
        message = realloc(reader->message, cap);
        if (message == NULL)
            return -ENOMEM;
        reader->message = message;
        reader->cap = (uint32_t)cap;
    }
    memcpy(reader->message + reader->len, data, len);
    reader->len = (uint32_t)need;
    return 0;
}

/* Codes that may stand in a Close frame (RFC 6455, 7.4, and the registry as of 2024). */
static bool is_close_code(int code)
{
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
           (code >= 3000 && code <= 4999);
}

static enum ws_item_kind read_close(const uint8_t *data, size_t len, struct ws_item *ret_item)
{
    struct ws_reader checker = {0};
    int code;

    *ret_item = (struct ws_item){.data = "", .code = CODE_NONE};
    if (len == 0)
        return WS_CLOSE;
    if (len == 1)
        return fail(ret_item, CODE_PROTOCOL_ERROR, "half a close code");
    code = data[0] << 8 | data[1];
    if (!is_close_code(code))
        return fail(ret_item, CODE_PROTOCOL_ERROR, "bad close code");
    if (!check_utf8(&checker, data + 2, len - 2) || checker.utf8_need > 0)
        return fail(ret_item, CODE_INVALID_DATA, "close reason is not UTF-8");
    *ret_item = (struct ws_item){.data = (const char *)data + 2, .len = len - 2, .code = code};
    return WS_CLOSE;
}

static enum ws_item_kind read_control(const struct frame_head *head, struct ws_input *in,
                                      struct ws_item *ret_item)
{
    uint8_t *data = in->ptr + head->size;
    size_t len = (size_t)head->len;

    if ((size_t)(in->end - data) < len)
        return WS_MORE;
    unmask(data, len, head->mask, 0);
    in->ptr = data + len;
    if (head->opcode == OP_CLOSE)
        return read_close(data, len, ret_item);
    *ret_item = (struct ws_item){.data = (const char *)data, .len = len};
    return head->opcode == OP_PING ? WS_PING : WS_PONG;
}

static void begin_payload(struct ws_reader *reader, const struct frame_head *head)
{
    if (head->opcode != OP_CONTINUATION) {
        reader->utf8_need = 0;
        reader->is_binary = head->opcode == OP_BINARY;
        reader->is_deflated = head->rsv == RSV1;
    }
    reader->in_message = true;
    reader->in_frame = true;
    reader->final = head->final;
    reader->left = (uint32_t)head->len;
    memcpy(reader->mask, head->mask, sizeof(reader->mask));
    reader->mask_at = 0;
}

static enum ws_item_kind whole(struct ws_reader *reader, const char *data, size_t len,
                               struct ws_item *ret_item)
{
    if (reader->utf8_need > 0)
        return fail(ret_item, CODE_INVALID_DATA, "text ends within a character");
    *ret_item = (struct ws_item){.data = data, .len = len};
    return reader->is_binary ? WS_BINARY : WS_TEXT;
}

static enum ws_item_kind inflating_failed(int error, struct ws_item *ret_item)
{
    static const struct {
        int error, code;
        const char *why;
    } rows[] = {
        {-EMSGSIZE, CODE_TOO_BIG, "message too big"},
        {-E2BIG, CODE_POLICY, "too many blocks in a compressed message"},
        {-EBADMSG, CODE_INVALID_DATA, "message is not compressed as it says"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return fail(ret_item, rows[i].code, rows[i].why);
    return fail(ret_item, CODE_INTERNAL, "out of memory");
}

/* All of a compressed message is there. What it is inflated to takes the place of what was kept. */
static enum ws_item_kind inflate_whole(struct ws_reader *reader, struct notify_str deflated,
                                       size_t max_bytes, struct ws_item *ret_item)
{
    char *text;
    size_t len;
    int result = deflate_inflate(deflated, max_bytes, &text, &len);

    if (result != 0)
        return inflating_failed(result, ret_item);
    counter_add(COUNTER_INFLATED, 1);
    counter_add(COUNTER_INFLATED_BYTES, deflated.len);
    counter_add(COUNTER_INFLATED_PLAIN_BYTES, len);
    drop_message(reader);
    reader->message = text;
    reader->spent = true;
    if (!reader->is_binary && !check_utf8(reader, (const uint8_t *)text, len))
        return fail(ret_item, CODE_INVALID_DATA, "text is not UTF-8");
    return whole(reader, text, len, ret_item);
}

/* The message ends with data, which is what is there of it, or the end of that. */
static enum ws_item_kind end_message(struct ws_reader *reader, struct notify_str data,
                                     size_t max_bytes, struct ws_item *ret_item)
{
    bool at_once = reader->len == 0; /* all of it in this buffer: no copy */

    reader->in_message = false;
    if (!at_once && append(reader, (const uint8_t *)data.ptr, data.len) != 0)
        return fail(ret_item, CODE_INTERNAL, "out of memory");
    if (!at_once)
        data = notify_str_of(reader->message, reader->len);
    if (reader->is_deflated)
        return inflate_whole(reader, data, max_bytes, ret_item);
    reader->spent = !at_once;
    return whole(reader, data.ptr, data.len, ret_item);
}

/* Takes what there is of the payload. WS_MORE: the frame goes on. */
static enum ws_item_kind read_payload(struct ws_reader *reader, size_t max_bytes,
                                      struct ws_input *in, struct ws_item *ret_item)
{
    size_t have = (size_t)(in->end - in->ptr);
    size_t len = have < reader->left ? have : reader->left;
    uint8_t *data = in->ptr;

    unmask(data, len, reader->mask, reader->mask_at);
    reader->mask_at = (uint8_t)((reader->mask_at + len) & 3);
    reader->left -= (uint32_t)len;
    in->ptr += len;
    reader->in_frame = reader->left > 0;
    if (!reader->is_binary && !reader->is_deflated && !check_utf8(reader, data, len))
        return fail(ret_item, CODE_INVALID_DATA, "text is not UTF-8");
    if (!reader->in_frame && reader->final)
        return end_message(reader, notify_str_of((const char *)data, len), max_bytes, ret_item);
    if (append(reader, data, len) != 0)
        return fail(ret_item, CODE_INTERNAL, "out of memory");
    if (reader->in_frame)
        return WS_MORE;
    *ret_item = (struct ws_item){.len = len};
    return WS_PART;
}

/* What may come of a message that begins, or goes on, with head. */
static size_t payload_max(const struct ws_reader *reader, const struct frame_head *head,
                          size_t max_bytes)
{
    bool deflated = head->opcode == OP_CONTINUATION ? reader->is_deflated : head->rsv == RSV1;

    return (deflated ? deflate_bound(max_bytes) : max_bytes) - reader->len;
}

enum ws_item_kind ws_reader_next(struct ws_reader *reader, size_t max_bytes, struct ws_input *in,
                                 struct ws_item *ret_item)
{
    struct frame_head head;
    const char *fault;

    if (reader->spent)
        drop_message(reader);
    if (!reader->in_frame) {
        if (!read_head(in, &head))
            return WS_MORE;
        fault = find_fault(reader, &head);
        if (fault != NULL)
            return fail(ret_item, CODE_PROTOCOL_ERROR, fault);
        if (head.opcode & OP_CONTROL_BIT)
            return read_control(&head, in, ret_item);
        if (head.opcode == OP_BINARY && !reader->takes_binary)
            return fail(ret_item, CODE_UNSUPPORTED, "binary frames are not supported");
        if (head.len > payload_max(reader, &head, max_bytes))
            return fail(ret_item, CODE_TOO_BIG, "message too big");
        in->ptr += head.size;
        begin_payload(reader, &head);
    }
    return read_payload(reader, max_bytes, in, ret_item);
}

int ws_reader_keep(struct ws_reader *reader, const struct ws_input *in)
{
    size_t len = (size_t)(in->end - in->ptr);

    if (reader->spent)
        drop_message(reader);
    if (len == 0)
        return 0;
    reader->rest = malloc(len);
    if (reader->rest == NULL)
        return -ENOMEM;
    memcpy(reader->rest, in->ptr, len);
    reader->rest_len = (uint32_t)len;
    return 0;
}

size_t ws_reader_restore(struct ws_reader *reader, uint8_t *buf)
{
    size_t len = reader->rest_len;

    if (len > 0)
        memcpy(buf, reader->rest, len);
    free(reader->rest);
    reader->rest = NULL;
    reader->rest_len = 0;
    return len;
}

size_t ws_reader_kept(const struct ws_reader *reader)
{
    return reader->rest_len;
}

bool ws_reader_is_idle(const struct ws_reader *reader)
{
    return reader->message == NULL && reader->rest == NULL && !reader->in_frame &&
           !reader->in_message;
}

void ws_reader_release(struct ws_reader *reader)
{
    free(reader->message);
    free(reader->rest);
    *reader = (struct ws_reader){0};
}
