/* Ids of entries as paths and answers have them: which box they are of. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "clients/logs.h"
#include "requests/rest_id.h"
#include "wire/entry_uuid.h"

static struct logs logs = {.len = 2,
                           .at = {NOTIFY_STR_INIT("topic:all"), NOTIFY_STR_INIT("topic:a:b")}};

static const char *format(struct notify_id id, const char *log)
{
    static char text[REST_ID_TEXT_MAX + 1];
    const struct rest_id rest = {id, notify_str_z(log)};

    cr_assert_eq(rest_id_format(text, &logs, &rest), strlen(text));
    return text;
}

static enum rest_id_answer parse(const char *text, struct rest_id *ret)
{
    return rest_id_parse(notify_str_z(text), &logs, ret);
}

static void comes_back(struct notify_id id, const char *log)
{
    struct rest_id back;

    cr_assert_eq(parse(format(id, log), &back), REST_ID_GOOD, "%s", format(id, log));
    cr_assert_eq(notify_id_cmp(id, back.id), 0);
    cr_assert(notify_str_eq(back.log, notify_str_z(log)));
}

static const struct notify_id usual = {UINT64_C(1795208400123), 7},
                              far = {5, ENTRY_UUID_SEQ_MAX + 1};

Test(rest_id, says_which_box_and_comes_back)
{
    static const char *const boxes[] = {NULL, "topic:all", "topic:a:b"};

    for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++) {
        cr_assert_eq(strlen(format(usual, boxes[i])), ENTRY_UUID_LEN);
        comes_back(usual, boxes[i]);
        comes_back(far, boxes[i]);
    }
    cr_assert_str_eq(format(far, NULL), "5-4611686018427387904");
    cr_assert_str_eq(format(far, "topic:a:b"), "5-4611686018427387904:topic:a:b");
}

/* Another log with the tag of topic:all. */
static const char *twin(void)
{
    static char key[32];

    for (int i = 0;; i++) {
        (void)snprintf(key, sizeof(key), "topic:%d", i);
        if (entry_uuid_tag(notify_str_z(key)) == entry_uuid_tag(logs.at[0]))
            return key;
    }
}

Test(rest_id, two_logs_with_one_tag_are_told_apart)
{
    struct rest_id back;
    char uuid[ENTRY_UUID_LEN + 1];

    (void)snprintf(uuid, sizeof(uuid), "%s", format(usual, "topic:all"));
    logs.at[1] = notify_str_z(twin());
    cr_assert_str_eq(format(usual, "topic:all"), "1795208400123-7:topic:all");
    comes_back(usual, "topic:all");
    comes_back(usual, twin());
    cr_assert_eq(parse(uuid, &back), REST_ID_UNKNOWN);
}

Test(rest_id, of_somebody_elses_box_is_unknown)
{
    struct rest_id back;
    struct entry_uuid other = {usual, entry_uuid_tag(NOTIFY_STR("topic:other"))};
    char text[ENTRY_UUID_LEN + 1];

    cr_assert(entry_uuid_format(text, &other));
    cr_assert_eq(parse(text, &back), REST_ID_UNKNOWN);
    cr_assert_eq(parse("5-5:topic:other", &back), REST_ID_UNKNOWN);
    cr_assert_eq(parse("5-5:inbox:bob", &back), REST_ID_UNKNOWN);
    cr_assert_eq(parse("00000000-0000-0000-0000-000000000000", &back), REST_ID_UNKNOWN);
}

Test(rest_id, that_is_none_is_told)
{
    static const char *const none[] = {"",      "x",           ":", "5-5:", "-5:topic:all",
                                       "5-5-5", "5:topic:all:"};
    struct rest_id back;

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]) - 1; i++)
        cr_assert_eq(parse(none[i], &back), REST_ID_BAD, "%s", none[i]);
    cr_assert_eq(parse("5:topic:all:", &back), REST_ID_UNKNOWN);
    cr_assert_eq(parse("5:topic:all", &back), REST_ID_GOOD, "the seq may be left out");
}
