/* Positions as text. */
#include <criterion/criterion.h>

#include "wire/position.h"

struct good {
    const char *text;
    struct position position;
};

static const struct good goods[] = {
    {"17-4", {{17, 4}, 0}},
    {"17", {{17, 0}, 0}},
    {"0-0", {{0, 0}, 0}},
    {"17-4@@1", {{17, 4}, 1}},
    {"17@@16777215", {{17, 0}, 16777215}},
    {"17-4@@0", {{17, 4}, 0}},
    {"253402300799999-18446744073709551615@@16777215",
     {{253402300799999, UINT64_MAX}, POSITION_EPOCH_MAX}},
};

Test(position, is_an_id_and_perhaps_its_epoch)
{
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        struct position position;
        cr_assert(strlen(goods[i].text) <= POSITION_TEXT_MAX);
        cr_assert(position_parse(notify_str_z(goods[i].text), &position), "%s", goods[i].text);
        cr_assert_eq(notify_id_cmp(position.id, goods[i].position.id), 0, "%s", goods[i].text);
        cr_assert_eq(position.epoch, goods[i].position.epoch, "%s", goods[i].text);
    }
}

static const char *const bad[] = {"",
                                  "@",
                                  "@@",
                                  "@@1",
                                  "17@",
                                  "17@@",
                                  "17@1",
                                  "17@1@",
                                  "17@1@2",
                                  "17@@-1",
                                  "17@@ 1",
                                  "17@@1 ",
                                  "17@@16777216",
                                  "17@@1@",
                                  "17@@@1",
                                  "17-@@1",
                                  "x@@1",
                                  "17@@x",
                                  "17@@99999999999999999999999"};

Test(position, is_nothing_else)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct position position = {.epoch = 5};
        cr_assert_not(position_parse(notify_str_z(bad[i]), &position), "%s", bad[i]);
        cr_assert_eq(position.epoch, 5, "%s", bad[i]);
    }
    cr_assert_not(position_parse((struct notify_str){NULL, 0}, &(struct position){.epoch = 0}));
}
