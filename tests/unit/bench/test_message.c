/* What the load generators see in a message. */
#include <criterion/criterion.h>

#include "message.h"

#define ENTRY                                                                                      \
    "{\"type\":\"notification\",\"message\":\"Hi\",\"key\":\"topic:all\",\"id\":\"7-1\","          \
    "\"prev\":\"7-0\",\"rev\":2,\"unread\":0,\"data\":{\"id\":\"7-1\",\"title\":\"Hi\"}}"
#define CHANGE "{\"type\":\"read\",\"key\":\"topic:all\",\"rev\":3,\"unread\":0,\"ids\":[\"7-1\"]}"
#define UNSTORED "{\"type\":\"tick\",\"key\":\"topic:all\",\"rev\":3,\"data\":{\"id\":\"9-9\"}}"

Test(message, finds_the_id_of_an_entry_of_the_box)
{
    struct notify_str id;

    cr_assert(message_entry_id(NOTIFY_STR(ENTRY), NOTIFY_STR("topic:all"), &id));
    cr_assert(notify_str_eq(id, NOTIFY_STR("7-1")));
}

Test(message, knows_boxes_by_their_whole_key)
{
    struct notify_str id;

    cr_assert_not(message_entry_id(NOTIFY_STR(ENTRY), NOTIFY_STR("topic:al"), &id));
    cr_assert_not(message_entry_id(NOTIFY_STR(ENTRY), NOTIFY_STR("topic:all2"), &id));
}

Test(message, takes_no_state_change_and_no_unstored_event_for_an_entry)
{
    struct notify_str id;

    cr_assert_not(message_entry_id(NOTIFY_STR(CHANGE), NOTIFY_STR("topic:all"), &id));
    cr_assert_not(message_entry_id(NOTIFY_STR(UNSTORED), NOTIFY_STR("topic:all"), &id));
}

Test(message, finds_a_member_and_no_half_one)
{
    struct notify_str value;

    cr_assert(message_member(NOTIFY_STR(ENTRY), NOTIFY_STR("\"title\":\""), &value));
    cr_assert(notify_str_eq(value, NOTIFY_STR("Hi")));
    cr_assert_not(
        message_member(NOTIFY_STR("{\"title\":\"Hi"), NOTIFY_STR("\"title\":\""), &value));
}

Test(message, tells_types_by_their_whole_name)
{
    cr_assert(message_has_type(NOTIFY_STR(CHANGE), NOTIFY_STR("read")));
    cr_assert_not(message_has_type(NOTIFY_STR(CHANGE), NOTIFY_STR("rea")));
    cr_assert_not(message_has_type(NOTIFY_STR("{\"type\":\"re"), NOTIFY_STR("read")));
}
