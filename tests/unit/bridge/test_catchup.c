/* Questions to Redis, and their answers. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "redis/catchup.h"
#include "redis/slot.h"
#include "link_testing.h"
#include "loop_testing.h"

#define OWNERS 200
#define RETRY_MS 250

struct owner {
    char key[16];
    int answers;
    struct notify_id last, trimmed;
    bool more, unreadable;
    size_t entries;
    struct notify_id at; /* of a catch-up in portions */
};

static struct owner owners[OWNERS];
static struct catchup *catchup;
static struct redis_link redis_link;
static const struct notify_id five = {5, 1};

static void on_answer(void *ctx, const struct catchup_result *result)
{
    struct owner *owner = ctx;

    owner->answers++;
    owner->last = result->last;
    owner->trimmed = result->trimmed;
    owner->more = result->more;
    owner->unreadable = result->unreadable;
    owner->entries = result->entries == NULL ? 0 : result->entries->len;
}

static void setup(void)
{
    for (int i = 0; i < OWNERS; i++)
        (void)snprintf(owners[i].key, sizeof(owners[i].key), "k%d", i);
    link_testing_init(&redis_link);
    catchup = catchup_new(LOOP_TESTING, on_answer);
    catchup_up(catchup, &redis_link.keys);
}

static void teardown(void)
{
    catchup_free(catchup);
    loop_testing_run_deferred();
    while (redis_link.first != NULL)
        link_testing_answer(link_testing_take(&redis_link), NULL);
    cr_assert_null(loop_testing_timers);
}

TestSuite(catchup, .init = setup, .fini = teardown);

static void ask(int i, const struct notify_id *from)
{
    cr_assert_eq(catchup_ask(catchup, notify_str_z(owners[i].key), from, 0, 0, &owners[i]), 0);
}

/* What goes out in this turn; NULL: nothing. */
static struct link_testing_command *sent(void)
{
    loop_testing_run_deferred();
    return link_testing_take(&redis_link);
}

static void check_words(const struct link_testing_command *command, const char *words)
{
    char text[512] = "";
    size_t len = 0;

    cr_assert_not_null(command);
    for (size_t i = 0; i < command->argc; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i == 0 ? "" : " ",
                                (int)command->argv[i].len, command->argv[i].ptr);
    cr_assert_str_eq(text, words);
}

/* The map of one key. */
struct map {
    struct resp map, names[8], values[8], entry;
    struct resp *items[16], *entries[1];
};

static void map_add(struct map *m, const char *name, struct resp value)
{
    size_t n = m->map.len / 2;

    m->names[n] = (struct resp){.kind = RESP_STRING, .str = notify_str_z(name)};
    m->values[n] = value;
    m->items[m->map.len++] = &m->names[n];
    m->items[m->map.len++] = &m->values[n];
}

static struct resp text(const char *z)
{
    return (struct resp){.kind = RESP_STRING, .str = notify_str_z(z)};
}

static void map_fill(struct map *m, const char *key, const char *last, int more, size_t entries)
{
    *m = (struct map){.map = {.kind = RESP_MAP, .items = m->items}};
    m->entry = text("{}");
    m->entries[0] = &m->entry;
    map_add(m, "key", text(key));
    map_add(m, "last", text(last));
    map_add(m, "trimmed", text("2-0"));
    map_add(m, "more", (struct resp){.kind = RESP_INTEGER, .integer = more});
    map_add(m, "entries", (struct resp){.kind = RESP_ARRAY, .len = entries, .items = m->entries});
}

static void answer_maps(struct link_testing_command *command, struct map *maps, size_t count)
{
    struct resp *items[OWNERS];
    struct resp reply = {.kind = RESP_ARRAY, .len = count, .items = items};

    cr_assert_not_null(command);
    for (size_t i = 0; i < count; i++)
        items[i] = &maps[i].map;
    link_testing_answer(command, &reply);
}

static void answer_error(struct link_testing_command *command, const char *words)
{
    struct resp error = {.kind = RESP_ERROR, .str = notify_str_z(words)};

    cr_assert_not_null(command);
    link_testing_answer(command, &error);
}

Test(catchup, questions_of_one_turn_share_a_command)
{
    ask(0, &five);
    ask(1, NULL);
    ask(2, &(struct notify_id){0, 0});
    cr_assert_null(redis_link.first, "nothing goes out within the turn");
    struct link_testing_command *command = sent();
    check_words(command, "NOTIFY.SINCE k0 5-1@0 k1 $ k2 0-0@0 COUNT 2");
    cr_assert_null(sent());
    link_testing_answer(command, NULL);
}

Test(catchup, an_answer_tells_where_the_box_ends_and_what_it_holds)
{
    struct map m;

    ask(0, &five);
    map_fill(&m, "k0", "9-3", 1, 1);
    answer_maps(sent(), &m, 1);
    cr_assert_eq(owners[0].answers, 1);
    cr_assert(notify_id_cmp(owners[0].last, (struct notify_id){9, 3}) == 0);
    cr_assert(notify_id_cmp(owners[0].trimmed, (struct notify_id){2, 0}) == 0);
    cr_assert(owners[0].more && !owners[0].unreadable);
    cr_assert_eq(owners[0].entries, 1);
}

Test(catchup, a_key_without_news_ends_where_the_question_began)
{
    struct map m;

    ask(0, &five);
    ask(1, &five);
    ask(2, &five);
    map_fill(&m, "k1", "9-3", 0, 1);
    answer_maps(sent(), &m, 1);
    cr_assert(notify_id_cmp(owners[0].last, five) == 0 && owners[0].entries == 0);
    cr_assert_eq(owners[1].last.ms, 9);
    cr_assert(notify_id_cmp(owners[2].last, five) == 0 && owners[2].entries == 0);
    cr_assert_eq(owners[0].answers + owners[1].answers + owners[2].answers, 3);
}

Test(catchup, more_without_an_entry_is_not_believed)
{
    struct map m;

    ask(0, &five);
    map_fill(&m, "k0", "9-3", 1, 0);
    answer_maps(sent(), &m, 1);
    cr_assert_not(owners[0].more, "or it would be asked for ever");
}

/* Asks and answers with reply; what goes out must be the same question later. */
static void check_no_answer(const struct notify_id *from, const struct resp *reply)
{
    int answers = owners[0].answers;

    ask(0, from);
    link_testing_answer(sent(), reply);
    cr_assert_null(sent(), "not at once");
    cr_assert_eq(owners[0].answers, answers);
    loop_testing_advance(RETRY_MS);
    link_testing_answer(sent(), &(struct resp){.kind = RESP_NIL});
    loop_testing_advance(RETRY_MS);
    struct map m;
    map_fill(&m, "k0", "9-3", 0, 0);
    answer_maps(sent(), &m, 1);
    cr_assert_eq(owners[0].answers, answers + 1);
}

Test(catchup, a_reply_of_another_shape_is_no_answer)
{
    struct resp number = {.kind = RESP_INTEGER, .integer = 5}, word = text("OK");
    struct resp *items[] = {&number, &word};
    struct resp array = {.kind = RESP_ARRAY, .len = 2, .items = items};
    struct resp map = {.kind = RESP_MAP, .len = 2, .items = items};
    struct resp none = {.kind = RESP_ARRAY};
    struct map other, endless;

    check_no_answer(&five, &number);
    check_no_answer(&five, &word);
    check_no_answer(&five, &array);
    check_no_answer(&five, &map);
    check_no_answer(NULL, &none);
    map_fill(&other, "another", "9-3", 0, 0);
    items[0] = &other.map;
    array.len = 1;
    check_no_answer(&five, &array);
    map_fill(&endless, "k0", "no id", 0, 0);
    items[0] = &endless.map;
    check_no_answer(&five, &array);
}

Test(catchup, numbers_below_zero_are_none)
{
    struct map m;

    ask(0, &five);
    map_fill(&m, "k0", "9-3", -1, 1);
    answer_maps(sent(), &m, 1);
    cr_assert_not(owners[0].more);
}

Test(catchup, many_questions_are_split)
{
    size_t keys = 0;

    for (int i = 0; i < OWNERS; i++)
        ask(i, &five);
    for (struct link_testing_command *command; (command = sent()) != NULL;) {
        cr_assert_leq(command->argc, 1 + 2 * 64 + 2);
        keys += (command->argc - 3) / 2;
        answer_maps(command, NULL, 0);
    }
    cr_assert_eq(keys, OWNERS);
    for (int i = 0; i < OWNERS; i++)
        cr_assert_eq(owners[i].answers, 1);
}

Test(catchup, a_question_whose_link_goes_down_is_asked_again)
{
    struct map m;

    ask(0, &five);
    struct link_testing_command *command = sent();
    catchup_down(catchup);
    redis_link.up = false;
    link_testing_answer(command, NULL);
    ask(1, &five);
    loop_testing_advance(10 * RETRY_MS);
    cr_assert_null(sent());
    cr_assert_eq(owners[0].answers, 0);
    redis_link.up = true;
    catchup_up(catchup, &redis_link.keys);
    map_fill(&m, "k0", "9-3", 0, 1);
    for (int n = 0; n < 2; n++) {
        command = sent();
        answer_maps(command, &m, notify_str_eq(command->argv[1], NOTIFY_STR("k0")));
    }
    cr_assert_eq(owners[0].answers, 1);
    cr_assert_eq(owners[1].answers, 1);
}

Test(catchup, a_server_that_is_not_ready_is_asked_again_later)
{
    static const char *const passing[] = {"LOADING Redis is loading", "MASTERDOWN Link with MASTER",
                                          "ERR unknown command 'NOTIFY.SINCE'"};
    ask(0, &five);
    for (size_t i = 0; i < 3; i++) {
        answer_error(sent(), passing[i]);
        cr_assert_null(sent(), "not at once");
        loop_testing_advance(RETRY_MS - 1);
        cr_assert_null(sent());
        loop_testing_advance(1);
    }
    cr_assert_eq(owners[0].answers, 0);
    answer_maps(sent(), NULL, 0);
    cr_assert_eq(owners[0].answers, 1);
    cr_assert_not(owners[0].unreadable);
}

Test(catchup, one_key_of_another_type_does_not_harm_the_others)
{
    struct link_testing_command *command;

    for (int i = 0; i < 3; i++)
        ask(i, &five);
    answer_error(sent(), "WRONGTYPE Operation against a key");
    for (int i = 0; i < 3; i++) {
        command = sent();
        cr_assert_eq(command->argc, 5, "each on its own");
        if (notify_str_eq(command->argv[1], NOTIFY_STR("k1")))
            answer_error(command, "WRONGTYPE Operation against a key");
        else
            answer_maps(command, NULL, 0);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(owners[i].answers, 1);
        cr_assert_eq(owners[i].unreadable, i == 1);
    }
    cr_assert_null(sent());
}

Test(catchup, a_key_that_may_not_be_read_is_told_so)
{
    ask(0, &five);
    answer_error(sent(), "NOPERM this user has no permissions");
    cr_assert_eq(owners[0].answers, 1);
    cr_assert(owners[0].unreadable);
}

Test(catchup, what_the_link_does_not_take_goes_out_later)
{
    redis_link.refuses = true;
    ask(0, &five);
    cr_assert_null(sent());
    redis_link.refuses = false;
    loop_testing_advance(RETRY_MS);
    answer_maps(sent(), NULL, 0);
    cr_assert_eq(owners[0].answers, 1);
}

Test(catchup, may_be_freed_while_an_answer_is_awaited)
{
    ask(0, &five);
    struct link_testing_command *command = sent();
    ask(1, &five);
    catchup_free(catchup);
    loop_testing_run_deferred();
    answer_maps(command, NULL, 0); /* the sanitizer watches */
    cr_assert_eq(owners[0].answers, 0);
    catchup = NULL;
}

/* Portions: Redis with boxes whose entries have the size that the test says. */

#define COUNT_MAX 128
#define PORTION_BYTES (256 * 1024)

static size_t entry_size;
static struct notify_id box_end;
static char entry_text[64 * 1024];

struct portion {
    struct map map;
    struct resp entries[COUNT_MAX], *items[COUNT_MAX];
    char last[NOTIFY_ID_TEXT_MAX + 1];
};

static size_t number_at(struct notify_str text)
{
    uint64_t number = 0;

    cr_assert(notify_id_take_number(&text, &number));
    return (size_t)number;
}

/* What follows the position in a box of entries 1-0, 2-0 … up to box_end. */
static void portion_fill(struct portion *p, const char *key, struct notify_str position,
                         size_t count)
{
    size_t from = number_at(position);
    size_t n = box_end.ms - from < count ? box_end.ms - from : count;

    cr_assert_leq(n, COUNT_MAX);
    notify_id_format(p->last, box_end);
    map_fill(&p->map, key, p->last, from + n < box_end.ms, n);
    p->map.items[9]->items = p->items;
    for (size_t i = 0; i < n; i++) {
        p->entries[i] = (struct resp){.kind = RESP_STRING};
        p->entries[i].str = notify_str_of(entry_text, entry_size);
        p->items[i] = &p->entries[i];
    }
}

/* Answers one command; returns the bytes of the entries. */
static size_t work_off(struct link_testing_command *command)
{
    static struct portion portions[64];
    struct resp *items[64];
    struct resp reply = {.kind = RESP_ARRAY, .items = items};
    size_t count = number_at(command->argv[command->argc - 1]);
    size_t bytes = 0;

    for (size_t i = 1; i + 2 < command->argc; i += 2) {
        struct portion *p = &portions[reply.len];
        portion_fill(p, command->argv[i].ptr, command->argv[i + 1], count);
        bytes += p->map.items[9]->len * entry_size;
        items[reply.len++] = &p->map.map;
    }
    link_testing_answer(command, &reply);
    return bytes;
}

static void ask_on(struct owner *owner)
{
    owner->at.ms += owner->entries;
    if (owner->more)
        ask((int)(owner - owners), &owner->at);
}

Test(catchup, many_positions_are_answered_in_portions)
{
    struct link_testing_command *command;
    size_t largest = 0, commands = 0;

    entry_size = 62 * 1024;
    box_end.ms = 250;
    for (int i = 0; i < 32; i++)
        ask(i, &owners[i].at);
    while ((command = sent()) != NULL) {
        size_t bytes = work_off(command);
        largest = bytes > largest ? bytes : largest;
        commands++;
        for (int i = 0; i < 32; i++)
            if (owners[i].answers > 0 && owners[i].answers-- > 0)
                ask_on(&owners[i]);
    }
    cr_assert_leq(largest, PORTION_BYTES + entry_size);
    cr_assert_leq(commands, 250 * 32, "%zu", commands);
    for (int i = 0; i < 32; i++)
        cr_assert_eq(owners[i].at.ms, 250);
}

Test(catchup, entries_that_are_suddenly_large_make_portions_small_at_once)
{
    size_t total = 0;

    entry_size = 100;
    box_end.ms = 100000;
    for (int i = 0; i < 20; i++) {
        ask(0, &owners[0].at);
        (void)work_off(sent());
    }
    cr_assert_eq(owners[0].entries, COUNT_MAX, "small ones come in larger portions");
    entry_size = 62 * 1024;
    for (int i = 0; i < 20; i++) {
        ask(0, &owners[0].at);
        total += work_off(sent());
    }
    cr_assert_leq(total, COUNT_MAX * entry_size + 19 * PORTION_BYTES);
}

/* What one brings at a time goes out in one write, too. */
Test(catchup, of_many_boxes_that_have_much_to_tell_each_tells_more_at_a_time)
{
    struct link_testing_command *command;
    size_t keys = 64, count = 0;

    entry_size = 400;
    box_end.ms = 3000;
    for (int i = 0; i < OWNERS; i++)
        ask(i, &owners[i].at);
    for (int rounds = 0; rounds < 200 && (command = sent()) != NULL; rounds++) {
        keys = (command->argc - 3) / 2;
        count = number_at(command->argv[command->argc - 1]);
        (void)work_off(command);
        for (int i = 0; i < OWNERS; i++)
            if (owners[i].answers > 0 && owners[i].answers-- > 0)
                ask_on(&owners[i]);
    }
    cr_assert_leq(keys, 2, "%zu", keys);
    cr_assert_geq(count, COUNT_MAX / 2, "%zu", count);
}

Test(catchup, few_commands_are_under_way_and_nobody_waits_for_anothers_whole_box)
{
    struct link_testing_command *under_way[8];
    size_t n = 0;

    entry_size = 62 * 1024;
    box_end.ms = 250;
    for (int i = 0; i < 100; i++)
        ask(i, &owners[i].at);
    while ((under_way[n] = sent()) != NULL)
        n++;
    cr_assert_eq(n, 4);
    ask(100, &owners[100].at);
    for (size_t i = 0; i < 4; i++)
        (void)work_off(under_way[i]);
    for (int rounds = 0; owners[100].answers == 0; rounds++) {
        for (int i = 0; i < 100; i++)
            if (owners[i].answers > 0 && owners[i].answers-- > 0)
                ask_on(&owners[i]);
        (void)work_off(sent());
        cr_assert_lt(rounds, 100, "it stands behind those who were there, not behind their rest");
    }
}

Test(catchup, an_answer_that_was_lost_is_asked_for_entry_by_entry)
{
    entry_size = 100;
    box_end.ms = 100000;
    for (int i = 0; i < 20; i++) {
        ask(0, &owners[0].at);
        (void)work_off(sent());
    }
    ask(0, &owners[0].at);
    link_testing_answer(sent(), NULL); /* perhaps it was too large */
    struct link_testing_command *command = sent();
    check_words(command, "NOTIFY.SINCE k0 0-0@0 COUNT 1");
    link_testing_answer(command, NULL);
}

/* A cluster of two servers, the second of which has the upper half of the slots. */

static bool server_up[2];
static unsigned moved_slot = SLOTS; /* which the other server has */

static unsigned lane_of(const struct keyspace *keys, struct notify_str key)
{
    unsigned slot = slot_of_key(key);

    (void)keys;
    return (slot >= SLOTS / 2) != (slot == moved_slot);
}

static bool has_key(const struct keyspace *keys, struct notify_str key)
{
    return server_up[lane_of(keys, key)];
}

static const struct keyspace_kind split_kind = {
    .command = link_testing_command, .is_up = link_testing_is_up, .has = has_key, .lane = lane_of};

static void split_up(void)
{
    catchup_free(catchup);
    catchup = catchup_new(LOOP_TESTING, on_answer);
    redis_link.keys.kind = &split_kind;
    server_up[0] = server_up[1] = true;
    catchup_up(catchup, &redis_link.keys);
}

static void ask_of(int i, const char *key)
{
    (void)snprintf(owners[i].key, sizeof(owners[i].key), "%s", key);
    ask(i, &five);
}

/* a: slot 15495, b: 3300. */

Test(catchup, in_a_cluster_a_command_is_about_keys_of_one_slot)
{
    split_up();
    ask_of(0, "{a}1");
    ask_of(1, "{b}1");
    ask_of(2, "{a}2");
    struct link_testing_command *lower = sent(), *upper = sent();
    check_words(lower, "NOTIFY.SINCE {b}1 5-1@0 COUNT 4");
    check_words(upper, "NOTIFY.SINCE {a}1 5-1@0 {a}2 5-1@0 COUNT 2");
    cr_assert_null(sent());
    answer_maps(upper, NULL, 0);
    cr_assert_eq(owners[0].answers + owners[2].answers, 2);
    cr_assert_eq(owners[1].answers, 0, "each is answered by itself");
    answer_maps(lower, NULL, 0);
    cr_assert_eq(owners[1].answers, 1);
}

Test(catchup, keys_whose_slot_moves_are_asked_for_one_by_one)
{
    static const char *const errors[] = {"TRYAGAIN Multiple keys request during rehashing of slot",
                                         "CROSSSLOT Keys in request don't hash to the same slot"};

    split_up();
    for (size_t n = 0; n < 2; n++) {
        for (int i = 0; i < 3; i++)
            ask_of(i, i == 0 ? "{a}0" : i == 1 ? "{a}1" : "{a}2");
        answer_error(sent(), errors[n]);
        for (int i = 0; i < 3; i++) {
            struct link_testing_command *command = sent();
            cr_assert_not_null(command, "at once");
            cr_assert_eq(command->argc, 5, "each on its own");
            answer_maps(command, NULL, 0);
            cr_assert_eq(owners[i].answers, (int)n + 1);
            cr_assert_not(owners[i].unreadable);
        }
        cr_assert_null(sent());
    }
}

Test(catchup, a_server_that_is_away_keeps_nobody_from_the_others)
{
    split_up();
    server_up[1] = false;
    ask_of(0, "{a}1");
    ask_of(1, "{b}1");
    answer_maps(sent(), NULL, 0);
    cr_assert_eq(owners[1].answers, 1);
    loop_testing_advance(10 * RETRY_MS);
    cr_assert_null(sent(), "nothing is tried in vain");
    server_up[1] = true;
    catchup_up(catchup, &redis_link.keys);
    answer_maps(sent(), NULL, 0);
    cr_assert_eq(owners[0].answers, 1);
}

Test(catchup, one_group_that_fails_is_asked_again_and_the_others_are_answered)
{
    split_up();
    ask_of(0, "{a}1");
    ask_of(1, "{b}1");
    struct link_testing_command *lower = sent();
    link_testing_answer(sent(), NULL);
    answer_maps(lower, NULL, 0);
    cr_assert_eq(owners[1].answers, 1);
    cr_assert_eq(owners[0].answers, 0);
    answer_error(sent(), "CLUSTERDOWN The cluster is down");
    cr_assert_null(sent(), "not at once");
    loop_testing_advance(RETRY_MS);
    answer_maps(sent(), NULL, 0);
    cr_assert_eq(owners[0].answers, 1);
}

Test(catchup, a_slot_that_moves_while_it_waits_is_asked_where_it_is)
{
    split_up();
    server_up[1] = false;
    ask_of(0, "{a}1");
    cr_assert_null(sent());
    moved_slot = slot_of_key(NOTIFY_STR("{a}1"));
    catchup_up(catchup, &redis_link.keys);
    answer_maps(sent(), NULL, 0);
    cr_assert_eq(owners[0].answers, 1);
    moved_slot = SLOTS;
}

Test(catchup, many_slots_are_many_commands_which_bring_no_more_than_few)
{
    static struct link_testing_command *commands[OWNERS];
    size_t n = 0, entries = 0;

    split_up();
    entry_size = 62 * 1024;
    box_end.ms = 250;
    for (int i = 0; i < OWNERS; i++)
        ask(i, &owners[i].at);
    while ((commands[n] = sent()) != NULL)
        entries +=
            (commands[n]->argc - 3) / 2 * number_at(commands[n]->argv[commands[n]->argc - 1]),
            n++;
    cr_assert_leq(n, 2 * 64, "%zu", n);
    cr_assert_gt(n, 2 * 32, "%zu", n);
    cr_assert_leq(entries, n, "%zu entries of 62 KB in %zu commands", entries, n);
    for (size_t i = 0; i < n; i++)
        (void)work_off(commands[i]);
    while ((commands[0] = sent()) != NULL)
        (void)work_off(commands[0]);
    for (int i = 0; i < OWNERS; i++)
        cr_assert_eq(owners[i].answers, 1);
}
