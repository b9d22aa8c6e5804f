/* incoming: a packet and its attachments, until all are there. */
#include <criterion/criterion.h>
#include <string.h>

#include "socketio/incoming.h"

#define HEAD "52-7[\"a\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"

Test(incoming, keeps_copies_of_its_packet_and_attachments_until_all_are_there)
{
    char text[] = HEAD, bytes[] = {0, 1, 2};
    struct incoming *incoming = incoming_new(notify_str_z(text));

    cr_assert_not_null(incoming);
    memset(text, 'x', sizeof(text));
    cr_assert_not(incoming_is_whole(incoming));
    cr_assert(incoming_add(incoming, notify_str_of(bytes, 3)));
    memset(bytes, 9, 3);
    cr_assert_not(incoming_is_whole(incoming));
    cr_assert(incoming_add(incoming, notify_str_of(NULL, 0)));
    cr_assert(incoming_is_whole(incoming));
    cr_assert(socketio_is_event(&incoming->packet, "a"));
    cr_assert(notify_str_eq(incoming->packet.id, NOTIFY_STR("7")));
    cr_assert(notify_str_eq(incoming->attachments[0], notify_str_of("\0\1\2", 3)));
    cr_assert_eq(incoming->attachments[1].len, 0);
    cr_assert_eq(incoming->bytes, sizeof(HEAD) - 1 + 3);
    incoming_free(incoming);
}
