#include "net/peer_address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define KEY_OF_V6 (UINT64_C(1) << 63) /* no global address begins with this bit (RFC 4291) */
#define KEY_OF_V4 (UINT64_C(1) << 32)

static struct peer_address of_v4(const void *bytes)
{
    struct peer_address ret = {.family = PEER_V4};

    memcpy(ret.bytes, bytes, 4);
    return ret;
}

static struct peer_address of_v6(const void *bytes)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    struct peer_address ret = {.family = PEER_V6};

    if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
        return of_v4((const char *)bytes + sizeof(mapped));
    memcpy(ret.bytes, bytes, 16);
    return ret;
}

struct peer_address peer_address_of(const struct sockaddr *addr)
{
    switch (addr->sa_family) {
    case AF_INET:
        return of_v4(&((const struct sockaddr_in *)(const void *)addr)->sin_addr);
    case AF_INET6:
        return of_v6(&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr);
    default:
        return (struct peer_address){.family = PEER_UNIX};
    }
}

bool peer_address_parse(struct notify_str text, struct peer_address *ret)
{
    char z[PEER_TEXT_MAX];
    uint8_t bytes[16];

    if (text.len >= sizeof(z) || memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(z, text.ptr, text.len);
    z[text.len] = '\0';
    if (inet_pton(AF_INET, z, bytes) == 1)
        *ret = of_v4(bytes);
    else if (inet_pton(AF_INET6, z, bytes) == 1)
        *ret = of_v6(bytes);
    else
        return false;
    return true;
}

/* What inet_ntop() prints; it takes 1,800 instructions for that, several times for each who comes.
 */
static const char *format_v4(const uint8_t bytes[4], char out[PEER_TEXT_MAX])
{
    char *at = out;

    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        if (bytes[i] >= 100)
            *at++ = (char)('0' + bytes[i] / 100);
        if (bytes[i] >= 10)
            *at++ = (char)('0' + bytes[i] / 10 % 10);
        *at++ = (char)('0' + bytes[i] % 10);
    }
    *at = '\0';
    return out;
}

const char *peer_address_format(const struct peer_address *addr, char out[PEER_TEXT_MAX])
{
    if (addr->family == PEER_UNIX)
        return memcpy(out, "unix", 5);
    if (addr->family == PEER_V4)
        return format_v4(addr->bytes, out);
    return inet_ntop(AF_INET6, addr->bytes, out, PEER_TEXT_MAX);
}

bool peer_address_is_loopback(const struct peer_address *addr)
{
    static const uint8_t one[16] = {[15] = 1};

    return (addr->family == PEER_V4 && addr->bytes[0] == 127) ||
           (addr->family == PEER_V6 && memcmp(addr->bytes, one, sizeof(one)) == 0);
}

static uint64_t big_endian(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint64_t peer_address_key(const struct peer_address *addr)
{
    if (addr->family == PEER_UNIX)
        return 0;
    return addr->family == PEER_V4 ? KEY_OF_V4 | big_endian(addr->bytes, 4)
                                   : KEY_OF_V6 | big_endian(addr->bytes, 8);
}

struct peer_address peer_address_of_key(uint64_t key)
{
    struct peer_address ret = {.family = PEER_UNIX};
    size_t len = 4;

    if (key == 0)
        return ret;
    ret.family = key >= KEY_OF_V6 ? PEER_V6 : PEER_V4;
    if (ret.family == PEER_V6) {
        len = 8;
        if (key >> 61 != 7) /* that of link-local and private addresses is their own */
            key -= KEY_OF_V6;
    }
    for (size_t i = 0; i < len; i++)
        ret.bytes[i] = (uint8_t)(key >> 8 * (len - 1 - i));
    return ret;
}

/* Networks. */

static bool parse_bits(struct notify_str text, unsigned max, uint8_t *ret)
{
    unsigned value = 0;

    if (text.len == 0 || text.len > 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *ret = (uint8_t)value;
    return value <= max;
}

bool peer_network_parse(struct notify_str text, struct peer_network *ret)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    struct notify_str base =
        slash == NULL ? text : notify_str_of(text.ptr, (size_t)(slash - text.ptr));
    unsigned max;

    *ret = (struct peer_network){.base = {.family = PEER_UNIX}};
    if (notify_str_eq(text, NOTIFY_STR("unix")))
        return true;
    if (base.len == 0 || !peer_address_parse(base, &ret->base))
        return false;
    max = ret->base.family == PEER_V4 ? 32 : 128;
    ret->bits = (uint8_t)max;
    return slash == NULL ||
           parse_bits(notify_str_of(slash + 1, text.len - base.len - 1), max, &ret->bits);
}

bool peer_network_has(const struct peer_network *network, const struct peer_address *addr)
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;

    if (network->base.family != addr->family ||
        memcmp(network->base.bytes, addr->bytes, whole) != 0)
        return false;
    return rest == 0 || (network->base.bytes[whole] ^ addr->bytes[whole]) >> (8 - rest) == 0;
}

bool peer_is_trusted(const struct peer_trust *trust, const struct peer_address *addr)
{
    for (size_t i = 0; i < trust->len; i++)
        if (peer_network_has(&trust->networks[i], addr))
            return true;
    return false;
}

/* Headers. */

/* Takes quotes, brackets and a port off: 1.2.3.4:80, "[2001:db8::1]:80", a bare IPv6 address. */
static struct notify_str bare_address(struct notify_str text)
{
    const char *end;

    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = notify_str_of(text.ptr + 1, text.len - 2);
    if (text.len > 0 && text.ptr[0] == '[') {
        end = memchr(text.ptr, ']', text.len);
        return end == NULL ? text : notify_str_of(text.ptr + 1, (size_t)(end - text.ptr - 1));
    }
    end = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
    if (end != NULL && memchr(end + 1, ':', text.len - (size_t)(end - text.ptr) - 1) == NULL)
        text.len = (size_t)(end - text.ptr);
    return text;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The value of for= among the parameters of one element of Forwarded. Empty: there is none. */
static struct notify_str for_parameter(struct notify_str element)
{
    while (element.len > 0) {
        const char *end = memchr(element.ptr, ';', element.len);
        struct notify_str one =
            end == NULL ? element : notify_str_of(element.ptr, (size_t)(end - element.ptr));

        element = notify_str_of(element.ptr + one.len + (end != NULL),
                                element.len - one.len - (end != NULL));
        while (one.len > 0 && is_blank(one.ptr[0]))
            one = notify_str_of(one.ptr + 1, one.len - 1);
        while (one.len > 0 && is_blank(one.ptr[one.len - 1]))
            one.len--;
        if (one.len > 4 && strncasecmp(one.ptr, "for=", 4) == 0)
            return notify_str_of(one.ptr + 4, one.len - 4);
    }
    return (struct notify_str){NULL, 0};
}

void peer_forwarded(const struct peer_trust *trust, const struct peer_hops *hops, bool rfc7239,
                    struct peer_address *addr)
{
    struct notify_str element;
    struct peer_address hop;

    for (int i = 0; i < PEER_HOPS_MAX && hops->next(hops->ctx, &element); i++) {
        struct notify_str text = bare_address(rfc7239 ? for_parameter(element) : element);

        if (text.len == 0 || !peer_address_parse(text, &hop))
            return;
        *addr = hop;
        if (!peer_is_trusted(trust, &hop))
            return;
    }
}

/* The PROXY protocol. */

static const char v1_signature[] = "PROXY ";
static const uint8_t v2_signature[12] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                         0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

#define V1_MAX 107 /* bytes, with CR LF */

/* The word up to a blank or the end; it is taken off *rest with the blank behind it. */
static struct notify_str take_word(struct notify_str *rest)
{
    const char *blank = rest->len == 0 ? NULL : memchr(rest->ptr, ' ', rest->len);
    struct notify_str word =
        blank == NULL ? *rest : notify_str_of(rest->ptr, (size_t)(blank - rest->ptr));
    size_t used = word.len + (blank != NULL);

    *rest = notify_str_of(rest->ptr + used, rest->len - used);
    return word;
}

static bool is_port(struct notify_str text)
{
    unsigned value = 0;

    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return value <= 65535;
}

/* What follows "PROXY ", without the line end. */
static bool read_v1(struct notify_str line, struct peer_address *addr)
{
    struct notify_str family = take_word(&line), words[4];
    struct peer_address source, destination;

    if (notify_str_eq(family, NOTIFY_STR("UNKNOWN")))
        return true;
    if (!notify_str_eq(family, NOTIFY_STR("TCP4")) && !notify_str_eq(family, NOTIFY_STR("TCP6")))
        return false;
    for (size_t i = 0; i < 4; i++)
        words[i] = take_word(&line);
    if (line.len > 0 || words[3].len == 0 || line.ptr[-1] == ' ' ||
        !peer_address_parse(words[0], &source) || !peer_address_parse(words[1], &destination) ||
        !is_port(words[2]) || !is_port(words[3]) ||
        (memchr(words[0].ptr, ':', words[0].len) != NULL) != (family.ptr[3] == '6'))
        return false;
    *addr = source;
    return true;
}

static int read_v1_line(const char *bytes, size_t len, struct peer_address *addr)
{
    const char *end = memchr(bytes, '\r', len < V1_MAX - 1 ? len : V1_MAX - 1);
    size_t prefix = sizeof(v1_signature) - 1, line_len;

    if (end == NULL)
        return len < V1_MAX - 1 ? PROXY_MORE : PROXY_MALFORMED;
    line_len = (size_t)(end - bytes);
    if (line_len + 1 == len)
        return PROXY_MORE;
    if (end[1] != '\n' || !read_v1(notify_str_of(bytes + prefix, line_len - prefix), addr))
        return PROXY_MALFORMED;
    return (int)line_len + 2;
}

static int read_v2(const uint8_t *bytes, size_t len, struct peer_address *addr)
{
    size_t body;

    if (len < 16)
        return PROXY_MORE;
    body = (size_t)bytes[14] << 8 | bytes[15];
    if (bytes[12] >> 4 != 2 || (bytes[12] & 15) > 1 || 16 + body > PROXY_HEADER_MAX)
        return PROXY_MALFORMED;
    if (len < 16 + body)
        return PROXY_MORE;
    if ((bytes[12] & 15) == 1) { /* PROXY, not LOCAL */
        if (bytes[13] == 0x11 && body >= 12)
            *addr = of_v4(bytes + 16);
        else if (bytes[13] == 0x21 && body >= 36)
            *addr = of_v6(bytes + 16);
        else if (bytes[13] == 0x31 && body >= 216)
            *addr = (struct peer_address){.family = PEER_UNIX};
        else
            return PROXY_MALFORMED;
    }
    return (int)(16 + body);
}

static bool begins_like(const void *bytes, size_t len, const void *signature, size_t signature_len)
{
    return memcmp(bytes, signature, len < signature_len ? len : signature_len) == 0;
}

int proxy_header_read(const void *bytes, size_t len, struct peer_address *addr)
{
    size_t v1 = sizeof(v1_signature) - 1;

    if (len == 0)
        return PROXY_MORE;
    if (begins_like(bytes, len, v1_signature, v1))
        return len < v1 ? PROXY_MORE : read_v1_line(bytes, len, addr);
    if (begins_like(bytes, len, v2_signature, sizeof(v2_signature)))
        return read_v2(bytes, len, addr);
    return PROXY_MALFORMED;
}
