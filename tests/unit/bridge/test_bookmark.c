/* How far somebody has come in many keys, as one text. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "random_testing.h"
#include "wire/bookmark.h"

static struct notify_str format(char out[BOOKMARK_TEXT_MAX], const struct bookmark *bookmark)
{
    return notify_str_of(out, bookmark_format(out, bookmark->user, bookmark->keys, bookmark->len));
}

static bool same(const struct bookmark *a, const struct bookmark *b)
{
    if (a->user != b->user || a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (a->keys[i].hash != b->keys[i].hash ||
            notify_id_cmp(a->keys[i].position.id, b->keys[i].position.id) != 0 ||
            a->keys[i].position.epoch != b->keys[i].position.epoch)
            return false;
    return true;
}

static uint64_t any(unsigned bits)
{
    return below(UINT64_C(1) << (bits < 53 ? bits : 53));
}

static struct position any_position(void)
{
    static const uint64_t epochs[] = {0, 1, 200, POSITION_EPOCH_MAX};
    struct position position = {.epoch = (uint32_t)epochs[below(4)]};

    if (chance(10))
        return position;
    position.id = (struct notify_id){chance(20) ? NOTIFY_ID_MAX_MS : any((unsigned)below(48)),
                                     chance(10) ? UINT64_MAX : any((unsigned)below(20))};
    if (position.id.ms > NOTIFY_ID_MAX_MS)
        position.id.ms = NOTIFY_ID_MAX_MS;
    return position;
}

static struct bookmark any_bookmark(void)
{
    struct bookmark bookmark = {.user = (uint32_t)any(32)};
    uint64_t keys = chance(5) ? BOOKMARK_KEYS_MAX : below(8);

    while (bookmark.len < keys)
        (void)bookmark_put(&bookmark,
                           (struct bookmark_key){any(chance(50) ? 48 : 5), any_position()});
    return bookmark;
}

Test(bookmark, what_is_written_is_read)
{
    random_begin(1);
    for (int i = 0; i < 20000; i++) {
        char text[BOOKMARK_TEXT_MAX];
        struct bookmark bookmark = any_bookmark(), read;
        struct notify_str written = format(text, &bookmark);

        cr_assert_leq(written.len, BOOKMARK_TEXT_LEN(bookmark.len));
        cr_assert(bookmark_parse(written, &read));
        cr_assert(same(&bookmark, &read));
        for (size_t at = 0; at < bookmark.len; at++)
            cr_assert_not_null(bookmark_find(&read, bookmark.keys[at].hash));
    }
}

Test(bookmark, a_text_that_is_spoilt_is_another_bookmark_or_none)
{
    random_begin(2);
    for (int i = 0; i < 50000; i++) {
        char text[BOOKMARK_TEXT_MAX], again[BOOKMARK_TEXT_MAX];
        struct bookmark bookmark = any_bookmark(), read;
        struct notify_str written = format(text, &bookmark), said;

        written.len = random_spoil(text, written.len, 3);
        if (!bookmark_parse(written, &read))
            continue;
        said = format(again, &read);
        cr_assert(notify_str_eq(written, said), "one text for each meaning");
    }
}

Test(bookmark, the_worst_fits)
{
    char text[BOOKMARK_TEXT_MAX];
    struct bookmark bookmark = {.user = UINT32_MAX}, read;

    for (uint64_t i = 0; i < BOOKMARK_KEYS_MAX; i++)
        cr_assert(bookmark_put(&bookmark,
                               (struct bookmark_key){UINT64_C(0xffffffffff00) + i,
                                                     {{i == 0 ? NOTIFY_ID_MAX_MS : 1, UINT64_MAX},
                                                      POSITION_EPOCH_MAX}}));
    cr_assert_not(bookmark_put(&bookmark, (struct bookmark_key){1, {{1, 1}, 0}}),
                  "there is no room");
    cr_assert_leq(format(text, &bookmark).len, BOOKMARK_TEXT_MAX);
    cr_assert(bookmark_parse(format(text, &bookmark), &read));
}

Test(bookmark, three_keys_of_now_are_short)
{
    char text[BOOKMARK_TEXT_MAX];
    struct bookmark bookmark = {.user = 1};
    static const char *const names[] = {"inbox:alice", "topic:all", "topic:news"};

    for (size_t i = 0; i < 3; i++)
        cr_assert(
            bookmark_put(&bookmark, (struct bookmark_key){bookmark_hash_key(notify_str_z(names[i])),
                                                          {{1795208400123 - i * 5000, 0}, 3}}));
    cr_assert_leq(format(text, &bookmark).len, 60);
}

Test(bookmark, other_texts_are_none)
{
    struct bookmark read;
    char text[BOOKMARK_TEXT_MAX], longer[BOOKMARK_TEXT_MAX + 8];
    struct bookmark bookmark = {.user = 7, .len = 1, .keys = {{5, {{17, 4}, 2}}}};
    struct notify_str good = format(text, &bookmark);
    static const char *const bad[] = {
        "",  "A",         "AQ",        "AQAAAAc",  "AgAAAAcA", "1795208400123-0",
        "*", "AQAAAAcA=", "AQAAAAcAA", " AQAAAAcA"};

    cr_assert(bookmark_parse(NOTIFY_STR("AQAAAAcA"), &read), "of no keys");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(bookmark_parse(notify_str_z(bad[i]), &read), "%s", bad[i]);
    for (size_t len = 0; len < good.len; len++)
        cr_assert_not(bookmark_parse(notify_str_of(text, len), &read), "cut at %zu", len);
    memset(longer, 'A', sizeof(longer));
    cr_assert_not(bookmark_parse(notify_str_of(longer, sizeof(longer)), &read));
}

Test(bookmark, hashes_are_the_same_in_every_process_and_differ)
{
    cr_assert_eq(bookmark_hash_key(NOTIFY_STR("inbox:alice")),
                 bookmark_hash_key(NOTIFY_STR("inbox:alice")));
    cr_assert_neq(bookmark_hash_key(NOTIFY_STR("inbox:alice")),
                  bookmark_hash_key(NOTIFY_STR("inbox:alicf")));
    cr_assert_neq(bookmark_hash_user(NOTIFY_STR("alice")), bookmark_hash_user(NOTIFY_STR("bob")));
    cr_assert_lt(bookmark_hash_key(NOTIFY_STR("x")), UINT64_C(1) << 48);
}
