/* What clients of load read in Socket.IO's packets. */
#include <criterion/criterion.h>

#include "packets.h"

#define KEY NOTIFY_STR("topic:all")

static enum packet_kind kind_of(const char *text)
{
    return packet_read(notify_str_z(text)).kind;
}

Test(packets, tells_what_a_server_may_say)
{
    cr_assert_eq(kind_of("0{\"sid\":\"x\"}"), PACKET_OPEN);
    cr_assert_eq(kind_of("1"), PACKET_CLOSE);
    cr_assert_eq(kind_of("2"), PACKET_PING);
    cr_assert_eq(kind_of("6"), PACKET_NOOP);
    cr_assert_eq(kind_of("40{\"sid\":\"x\"}"), PACKET_CONNECTED);
    cr_assert_eq(kind_of("42[\"a\"]"), PACKET_EVENT);
    cr_assert_eq(kind_of("430[]"), PACKET_ACK);
}

Test(packets, knows_nothing_else)
{
    cr_assert_eq(kind_of(""), PACKET_UNKNOWN);
    cr_assert_eq(kind_of("2probe"), PACKET_UNKNOWN);
    cr_assert_eq(kind_of("21"), PACKET_UNKNOWN);
    cr_assert_eq(kind_of("44{\"message\":\"no\"}"), PACKET_UNKNOWN);
    cr_assert_eq(kind_of("42[\"a"), PACKET_UNKNOWN);
    cr_assert_eq(kind_of("0"), PACKET_UNKNOWN);
    cr_assert_eq(kind_of("{\"type\":\"connection\"}"), PACKET_UNKNOWN);
}

Test(packets, names_an_event)
{
    struct packet packet = packet_read(NOTIFY_STR("42[\"tick\",{\"p\":1}]"));

    cr_assert(notify_str_eq(packet.name, NOTIFY_STR("tick")));
    cr_assert(notify_str_eq(packet.text, NOTIFY_STR(",{\"p\":1}]")));
}

Test(packets, finds_an_entrys_id_on_either_side_of_its_key)
{
    struct packet before = packet_read(
        NOTIFY_STR("42[\"tick\",{\"p\":1,\"id\":\"7-1\",\"key\":\"topic:all\",\"unread\":0}]"));
    struct packet after =
        packet_read(NOTIFY_STR("42[\"tick\",{\"key\":\"topic:all\",\"p\":1,\"id\":\"7-1\"}]"));
    struct notify_str id;

    cr_assert(packet_entry_id(&before, KEY, &id));
    cr_assert(notify_str_eq(id, NOTIFY_STR("7-1")));
    cr_assert(packet_entry_id(&after, KEY, &id));
    cr_assert(notify_str_eq(id, NOTIFY_STR("7-1")));
}

Test(packets, takes_no_other_event_for_an_entry)
{
    struct packet other =
        packet_read(NOTIFY_STR("42[\"a\",{\"key\":\"topic:al\",\"id\":\"7-1\"}]"));
    struct packet none = packet_read(NOTIFY_STR("42[\"connected\",{\"id\":\"7-1\"}]"));
    struct packet ack = packet_read(NOTIFY_STR("430[{\"key\":\"topic:all\",\"id\":\"7-1\"}]"));
    struct notify_str id;

    cr_assert_not(packet_entry_id(&other, KEY, &id));
    cr_assert_not(packet_entry_id(&none, KEY, &id));
    cr_assert_not(packet_entry_id(&ack, KEY, &id));
}

Test(packets, takes_a_poll_apart)
{
    struct notify_str payload = NOTIFY_STR("40{\"sid\":\"x\"}\x1e"
                                           "42[\"a\"]\x1e"
                                           "2"),
                      packet;

    cr_assert(packet_next(&payload, &packet));
    cr_assert(notify_str_eq(packet, NOTIFY_STR("40{\"sid\":\"x\"}")));
    cr_assert(packet_next(&payload, &packet));
    cr_assert(notify_str_eq(packet, NOTIFY_STR("42[\"a\"]")));
    cr_assert(packet_next(&payload, &packet));
    cr_assert(notify_str_eq(packet, NOTIFY_STR("2")));
    cr_assert_not(packet_next(&payload, &packet));
}
