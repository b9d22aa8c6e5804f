/* peer_address: what proxies say of a peer, and what is not believed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "net/peer_address.h"

static struct notify_str z(const char *text)
{
    return notify_str_z(text);
}

static struct peer_address address(const char *text)
{
    struct peer_address ret;

    cr_assert(peer_address_parse(z(text), &ret), "%s", text);
    return ret;
}

static void check_text(const struct peer_address *addr, const char *text)
{
    char out[PEER_TEXT_MAX];

    cr_expect_str_eq(peer_address_format(addr, out), text);
}

Test(peer_address, texts_are_addresses_or_are_not)
{
    static const char *const bad[] = {
        "",         "1.2.3",
        "01.2.3.4", "1.2.3.4:80",
        "[::1]",    "::1%lo",
        "unknown",  " 1.2.3.4",
        "1.2.3.4 ", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20"};
    struct peer_address addr = address("::ffff:1.2.3.4"), out;

    check_text(&addr, "1.2.3.4");
    addr = address("2001:DB8::1");
    check_text(&addr, "2001:db8::1");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(peer_address_parse(z(bad[i]), &out), "%s", bad[i]);
}

Test(peer_address, each_of_four_bytes_is_written_as_it_is_read)
{
    char text[PEER_TEXT_MAX];

    for (unsigned byte = 0; byte <= UINT8_MAX; byte++)
        for (unsigned at = 0; at < 4; at++) {
            struct peer_address addr;
            (void)snprintf(text, sizeof(text), "%u.%u.%u.%u", at == 0 ? byte : 0,
                           at == 1 ? byte : 9, at == 2 ? byte : 10, at == 3 ? byte : 255);
            addr = address(text);
            check_text(&addr, text);
        }
}

Test(peer_address, limits_count_an_address_or_half_of_a_long_one)
{
    struct peer_address a = address("2001:db8::1"), b = address("2001:db8::ffff:0:1");
    struct peer_address c = address("2001:db8:0:1::1"), d = address("1.2.3.4");
    struct peer_address unix_peer = {.family = PEER_UNIX}, zero = address("0.0.0.0");

    cr_expect_eq(peer_address_key(&a), peer_address_key(&b));
    cr_expect_neq(peer_address_key(&a), peer_address_key(&c));
    cr_expect_neq(peer_address_key(&a), peer_address_key(&d));
    cr_expect_eq(peer_address_key(&unix_peer), 0);
    cr_expect_neq(peer_address_key(&zero), 0);
}

Test(peer_address, networks_are_compared_by_their_bits)
{
    static const struct {
        const char *network, *addr;
        bool in;
    } cases[] = {{"10.0.0.0/8", "10.1.2.3", true},      {"10.0.0.0/8", "11.1.2.3", false},
                 {"10.1.2.3", "10.1.2.3", true},        {"10.1.2.3", "10.1.2.4", false},
                 {"10.1.2.0/23", "10.1.3.255", true},   {"10.1.2.0/23", "10.1.4.0", false},
                 {"0.0.0.0/0", "1.2.3.4", true},        {"0.0.0.0/0", "::1", false},
                 {"2001:db8::/32", "2001:db8::", true}, {"::1", "::1", true}};
    static const char *const bad[] = {"",           "/8",     "10.0.0.0/", "10.0.0.0/33",
                                      "10.0.0.0/x", "::/129", "10.0.0/8",  "10.0.0.0/8/8"};
    struct peer_network network;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer_address addr = address(cases[i].addr);

        cr_assert(peer_network_parse(z(cases[i].network), &network));
        cr_expect_eq(peer_network_has(&network, &addr), cases[i].in, "%s in %s", cases[i].addr,
                     cases[i].network);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(peer_network_parse(z(bad[i]), &network), "%s", bad[i]);
}

/* ---- forwarded headers */

struct list {
    const char *items[2 * PEER_HOPS_MAX]; /* left to right */
    size_t left;
};

static bool next_from_the_right(void *ctx, struct notify_str *ret)
{
    struct list *list = ctx;

    if (list->left == 0)
        return false;
    *ret = z(list->items[--list->left]);
    return true;
}

static void check_forwarded(const char *const *items, bool rfc7239, const char *expected)
{
    struct peer_network networks[2];
    struct peer_trust trust = {networks, 2};
    struct peer_address addr = address("127.0.0.1");
    struct list list = {.left = 0};
    struct peer_hops hops = {next_from_the_right, &list};

    cr_assert(peer_network_parse(z("127.0.0.0/8"), &networks[0]));
    cr_assert(peer_network_parse(z("10.0.0.0/8"), &networks[1]));
    for (; items[list.left] != NULL; list.left++)
        list.items[list.left] = items[list.left];
    peer_forwarded(&trust, &hops, rfc7239, &addr);
    check_text(&addr, expected);
}

Test(peer_address, the_nearest_hop_that_is_not_trusted_is_the_client)
{
    check_forwarded((const char *const[]){"6.6.6.6", "1.2.3.4", NULL}, false, "1.2.3.4");
    check_forwarded((const char *const[]){"6.6.6.6", "1.2.3.4:99", "10.0.0.1", NULL}, false,
                    "1.2.3.4");
    check_forwarded((const char *const[]){"10.0.0.2", "10.0.0.1", NULL}, false, "10.0.0.2");
    check_forwarded((const char *const[]){"[2001:db8::1]:80", NULL}, false, "2001:db8::1");
    check_forwarded((const char *const[]){"2001:db8::1", NULL}, false, "2001:db8::1");
    check_forwarded((const char *const[]){NULL}, false, "127.0.0.1");
}

Test(peer_address, a_chain_of_proxies_is_walked_for_so_long_and_no_longer)
{
    const char *items[PEER_HOPS_MAX + 2] = {"6.6.6.6", "10.0.0.1"};

    for (size_t i = 2; i < PEER_HOPS_MAX + 1; i++)
        items[i] = "10.0.0.2";
    check_forwarded(items, false, "10.0.0.1");
    check_forwarded(items + 1, false, "10.0.0.1");
    items[2] = NULL;
    check_forwarded(items, false, "6.6.6.6");
}

Test(peer_address, what_is_left_of_an_entry_that_is_no_address_is_not_believed)
{
    check_forwarded((const char *const[]){"6.6.6.6", "unknown", "10.0.0.1", NULL}, false,
                    "10.0.0.1");
    check_forwarded((const char *const[]){"6.6.6.6", "junk", NULL}, false, "127.0.0.1");
    check_forwarded((const char *const[]){"6.6.6.6", "", NULL}, false, "127.0.0.1");
}

Test(peer_address, forwarded_names_its_parts)
{
    check_forwarded((const char *const[]){"for=6.6.6.6", "proto=https; For=\"[2001:db8::2]:80\"",
                                          "for=10.0.0.1;by=_x", NULL},
                    true, "2001:db8::2");
    check_forwarded((const char *const[]){"for=6.6.6.6", "for=_hidden", NULL}, true, "127.0.0.1");
    check_forwarded((const char *const[]){"for=6.6.6.6", "by=1.2.3.4", NULL}, true, "127.0.0.1");
}

/* ---- the PROXY protocol */

/* The whole must say the same as byte by byte; every shorter piece PROXY_MORE, or MALFORMED at
 * once. */
static int read_proxy(const char *bytes, size_t len, struct peer_address *addr)
{
    int whole = proxy_header_read(bytes, len, addr);

    for (size_t n = 0; n < len; n++) {
        struct peer_address scratch = address("9.9.9.9");
        int part = proxy_header_read(bytes, n, &scratch);

        if (part == PROXY_MORE)
            continue;
        cr_expect(part == whole || (whole > 0 && part == whole && n >= (size_t)whole),
                  "%d for %zu bytes, %d for all", part, n, whole);
        break;
    }
    return whole;
}

static void check_v1(const char *text, int expected, const char *addr_text)
{
    struct peer_address addr = address("9.9.9.9");

    cr_expect_eq(read_proxy(text, strlen(text), &addr), expected, "%s", text);
    check_text(&addr, addr_text);
}

Test(peer_address, version_1_is_one_line)
{
    check_v1("PROXY TCP4 1.2.3.4 5.6.7.8 1 65535\r\nGET", 36, "1.2.3.4");
    check_v1("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", 32, "2001:db8::1");
    check_v1("PROXY UNKNOWN\r\n", 15, "9.9.9.9");
    check_v1("PROXY UNKNOWN whatever stands here\r\n", 36, "9.9.9.9");
    check_v1("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("GET / HTTP/1.1\r\n", PROXY_MALFORMED, "9.9.9.9");
    check_v1("PROXY UNKNOWN 0123456789012345678901234567890123456789012345678901234567890123456789"
             "0123456789012345678901234567890123456789\r\n",
             PROXY_MALFORMED, "9.9.9.9");
}

#define V2 "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A"

static void check_v2(const char *rest, size_t len, int expected, const char *addr_text)
{
    char bytes[2048] = V2;
    struct peer_address addr = address("9.9.9.9");

    memcpy(bytes, V2, 12);
    memcpy(bytes + 12, rest, len);
    cr_expect_eq(read_proxy(bytes, 12 + len, &addr), expected);
    check_text(&addr, addr_text);
}

Test(peer_address, version_2_is_binary)
{
    static const char v4[] = "\x21\x11\x00\x0C\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02GET";
    static const char v6[4 + 36 + 3] =
        "\x21\x21\x00\x27\x20\x01\x0d\xb8"; /* and a TLV of 3 bytes */
    static const char mapped[4 + 36] = {0x21, 0x21, 0, 36, 0,          0,          0, 0, 0, 0,
                                        0,    0,    0, 0,  (char)0xFF, (char)0xFF, 1, 2, 3, 4};

    check_v2(v4, sizeof(v4) - 1, 28, "1.2.3.4");
    check_v2(v6, sizeof(v6), 16 + 39, "2001:db8::");
    check_v2(mapped, sizeof(mapped), 16 + 36, "1.2.3.4");
    check_v2("\x20\x00\x00\x00", 4, 16, "9.9.9.9");
    check_v2("\x21\x11\x00\x0B"
             "01234567890",
             15, PROXY_MALFORMED, "9.9.9.9");
    check_v2("\x11\x11\x00\x0C"
             "012345678901",
             16, PROXY_MALFORMED, "9.9.9.9");
    check_v2("\x22\x11\x00\x0C"
             "012345678901",
             16, PROXY_MALFORMED, "9.9.9.9");
    check_v2("\x21\x12\x00\x0C"
             "012345678901",
             16, PROXY_MALFORMED, "9.9.9.9");
    check_v2("\x21\x11\x04\x00", 4, PROXY_MALFORMED, "9.9.9.9");
}
