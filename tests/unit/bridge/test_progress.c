/* How far a client has been sent what it follows. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/progress.h"

/* In place of channels: a follow's key and epoch are what the test says. */
static struct follow follows[3];
static const struct notify_str names[3] = {NOTIFY_STR_INIT("inbox:a"), NOTIFY_STR_INIT("topic:b"),
                                           NOTIFY_STR_INIT("topic:c")};
static uint32_t box_epoch;

struct notify_str follow_key(const struct follow *follow)
{
    return names[follow - follows];
}

uint32_t follow_box_epoch(const struct follow *follow)
{
    (void)follow;
    return box_epoch;
}

static struct progress *progress;
static struct channel channel;

static void set_up(void)
{
    progress = progress_new();
    cr_assert(progress_is_of(progress, NOTIFY_STR("a")));
    box_epoch = 7;
    for (size_t i = 0; i < 3; i++)
        follows[i] = (struct follow){.channel = &channel, .from_now = true, .whole = i == 0};
}

static void tear_down(void)
{
    progress_free(progress);
}

TestSuite(progress, .init = set_up, .fini = tear_down);

static void add(size_t i, const struct position *from)
{
    cr_assert(progress_add(progress, &follows[i], names[i], from));
}

/* What the present bookmark says of a key, as text; "" for nothing. */
static const char *said_of(size_t i)
{
    static char out[64];
    json_t *positions = progress_positions(progress);
    const char *text = json_string_value(json_object_get(positions, names[i].ptr));

    (void)snprintf(out, sizeof(out), "%s", text == NULL ? "" : text);
    json_decref(positions);
    return out;
}

static bool reads_as_said(struct notify_str text)
{
    struct bookmark bookmark;
    size_t known = 0;

    cr_assert(bookmark_parse(text, &bookmark));
    for (size_t i = 0; i < 3; i++) {
        struct position position;
        bool said = position_parse(notify_str_z(said_of(i)), &position);
        const struct position *read = bookmark_find(&bookmark, bookmark_hash_key(names[i]));
        if (said != (read != NULL) ||
            (said && (notify_id_cmp(position.id, read->id) != 0 || position.epoch != read->epoch)))
            return false;
        known += said;
    }
    return known == bookmark.len;
}

Test(progress, what_has_no_position_yet_is_left_out)
{
    add(0, NULL);
    add(1, &(struct position){{5, 1}, 3});
    cr_assert_str_eq(said_of(0), "");
    cr_assert_str_eq(said_of(1), "5-1@@3");
    cr_assert(reads_as_said(progress_text(progress)));
}

Test(progress, who_goes_live_stands_where_its_follow_does)
{
    add(0, NULL);
    follows[0].pos = (struct notify_id){9, 2};
    progress_on_live(progress, &follows[0]);
    cr_assert_str_eq(said_of(0), "9-2@@7");
    follows[0].pos = (struct notify_id){10, 0};
    progress_on_live(progress, &follows[0]);
    cr_assert_str_eq(said_of(0), "9-2@@7", "what waits since has not gone out");
}

Test(progress, only_what_goes_out_moves_it)
{
    add(0, NULL);
    add(1, NULL);
    progress_had(progress, &follows[1], (struct notify_id){11, 0}, 4);
    cr_assert_str_eq(said_of(1), "11-0@@4");
    cr_assert_str_eq(said_of(0), "");
    progress_had(progress, NULL, (struct notify_id){3, 0}, 0);
    cr_assert_str_eq(said_of(0), "3-0", "what is nobody's is the inbox's");
    progress_had(progress, &follows[1], (struct notify_id){0, 0}, 4);
    cr_assert_str_eq(said_of(1), "11-0@@4", "what is no entry moves nothing");
    cr_assert(reads_as_said(progress_text(progress)));
}

Test(progress, when_nothing_waits_all_stand_where_they_are)
{
    for (size_t i = 0; i < 3; i++)
        add(i, NULL);
    follows[0].pos = (struct notify_id){20, 0};
    follows[0].from_now = false;
    follows[1].pos = (struct notify_id){21, 0};
    follows[1].from_now = false;
    follows[1].epoch = 2; /* as its client has said, and not judged yet */
    progress_settle(progress);
    cr_assert_str_eq(said_of(0), "20-0@@7");
    cr_assert_str_eq(said_of(1), "21-0@@2");
    cr_assert_str_eq(said_of(2), "", "who begins now has no place before it is live");
}

Test(progress, a_bookmark_is_told_once)
{
    add(0, &(struct position){{5, 1}, 3});
    cr_assert_gt(progress_text(progress).len, 0);
    cr_assert_eq(progress_text(progress).len, 0);
    progress_had(progress, &follows[0], (struct notify_id){5, 1}, 3);
    cr_assert_eq(progress_text(progress).len, 0, "it has not moved");
    progress_had(progress, &follows[0], (struct notify_id){5, 2}, 3);
    cr_assert_leq(progress_text(progress).len, progress_text_max(progress));
    progress_remove(progress, &follows[0]);
    cr_assert_gt(progress_text(progress).len, 0, "it speaks of less now");
    cr_assert_str_eq(said_of(0), "");
}

Test(progress, what_is_brought_counts_for_its_user_only)
{
    char text[BOOKMARK_TEXT_MAX];
    const struct bookmark_key key = {bookmark_hash_key(names[1]), {{17, 4}, 2}};
    struct position position;
    struct notify_str mine =
        notify_str_of(text, bookmark_format(text, bookmark_hash_user(NOTIFY_STR("a")), &key, 1));

    progress_bring_bookmark(progress, mine);
    cr_assert(progress_is_of(progress, NOTIFY_STR("a")));
    cr_assert(progress_find(progress, names[1], &position));
    cr_assert_eq(position.id.ms, 17);
    cr_assert_not(progress_find(progress, names[0], &position));
    cr_assert_not(progress_is_of(progress, NOTIFY_STR("b")));
    cr_assert_not(progress_find(progress, names[1], &position), "it is somebody else's");
}

Test(progress, a_stream_follows_as_many_keys_as_a_bookmark_has)
{
    static struct follow many[BOOKMARK_KEYS_MAX + 1];
    char name[16];

    for (size_t i = 0; i <= BOOKMARK_KEYS_MAX; i++) {
        size_t len = (size_t)snprintf(name, sizeof(name), "k%zu", i);
        cr_assert_eq(progress_add(progress, &many[i], notify_str_of(name, len), NULL),
                     i < BOOKMARK_KEYS_MAX);
    }
}
