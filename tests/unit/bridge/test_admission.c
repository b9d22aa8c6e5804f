/* admission: who a client is, from when and until when; with an authority that says what the test
 * wants of each token, and takes as long as it wants. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/counters.h"
#include "base/log.h"
#include "clients/admission.h"
#include "clients/client.h"
#include "conn_testing.h"
#include "identity/authority.h"
#include "loop_testing.h"

#define TIMEOUT_MS 5000
#define LEEWAY_MS 30000
#define PEERS 40

/* In place of client.c and sender.c. */
struct peer {
    struct client client;
    struct conn conn;
    unsigned admitted, renewed, told, waits;
    enum admission_answer answer;
    unsigned answers;
};

static struct peer peers[PEERS];
static struct admissions admissions;
static struct client_shared shared;
static unsigned judged;
static uint64_t judging_ms;         /* what each token takes */
static struct key_wait *waiting[8]; /* for keys */
static size_t waiting_len;
static bool keys_have_come;

static struct peer *peer_of(const struct client *client)
{
    return (struct peer *)(uintptr_t)client;
}

bool client_is_closed(const struct client *client)
{
    return peer_of(client)->conn.close_code != 0;
}

struct notify_str client_user(const struct client *client)
{
    return client->identity == NULL ? NOTIFY_STR("") : identity_user(client->identity);
}

void client_limit_met(struct client *client, enum counter limit)
{
    (void)client;
    counter_add(limit, 1);
}

void sender_close(struct sender *sender, int code, const char *reason)
{
    conn_close(sender->conn, code, reason);
}

void sender_send_json(struct sender *sender, json_t *answer)
{
    struct peer *peer = (struct peer *)(void *)sender;

    cr_assert_str_eq(json_string_value(json_object_get(answer, "type")), "token_expiring");
    cr_assert(json_is_string(json_object_get(answer, "expires_at")));
    peer->told++;
    json_decref(answer);
}

void sender_call_waits(struct sender *sender)
{
    ((struct peer *)(void *)sender)->waits++;
}

void sender_call_goes_on(struct sender *sender)
{
    ((struct peer *)(void *)sender)->waits--;
}

/* "good <user> <seconds>", "bad", "unknown", "later", "memory" */
enum verdict authority_judge(struct authority *authority, struct notify_str token,
                             struct identity **ret, const char **ret_why)
{
    char text[64], user[32];
    unsigned seconds;

    (void)authority;
    judged++;
    loop_testing_now_ms += judging_ms;
    *ret_why = "so";
    (void)snprintf(text, sizeof(text), "%.*s", (int)token.len, token.ptr);
    if (sscanf(text, "good %31s %u", user, &seconds) == 2 ||
        (keys_have_come && sscanf(text, "later %31s %u", user, &seconds) == 2)) {
        *ret = identity_open(notify_str_z(user));
        (*ret)->expires_ms = loop_wall_ms(NULL) + seconds * UINT64_C(1000);
        return VERDICT_GOOD;
    }
    if (strcmp(text, "memory") == 0)
        return VERDICT_NO_MEMORY;
    if (strncmp(text, "later", 5) == 0)
        return VERDICT_UNKNOWN_KEY;
    return strcmp(text, "nokeys") == 0 ? VERDICT_NO_KEYS : VERDICT_BAD;
}

uint64_t authority_end_ms(const struct authority *authority, const struct identity *identity)
{
    (void)authority;
    return identity->expires_ms + LEEWAY_MS;
}

enum key_waiting authority_wait(struct authority *authority, struct key_wait *wait)
{
    (void)authority;
    if (waiting_len == sizeof(waiting) / sizeof(waiting[0]))
        return KEY_WAIT_CROWDED;
    waiting[waiting_len++] = wait;
    return KEY_WAITING;
}

void authority_wait_cancel(struct authority *authority, struct key_wait *wait)
{
    size_t i = 0;

    (void)authority;
    while (waiting[i] != wait)
        i++;
    waiting[i] = waiting[--waiting_len];
}

static void keys_come(void)
{
    keys_have_come = true;
    while (waiting_len > 0) {
        struct key_wait *wait = waiting[--waiting_len];
        wait->fn(wait->ctx);
    }
    loop_testing_run_deferred();
}

static void on_admitted(struct client *client)
{
    cr_assert_not_null(client->identity);
    peer_of(client)->admitted++;
}

static void on_renewed(struct client *client)
{
    peer_of(client)->renewed++;
}

static void on_answer(void *ctx, enum admission_answer answer)
{
    struct peer *peer = ctx;

    peer->answer = answer;
    peer->answers++;
}

static void begin(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    admissions = (struct admissions){.loop = LOOP_TESTING,
                                     .timeout_ms = TIMEOUT_MS,
                                     .admit = on_admitted,
                                     .on_renewed = on_renewed};
    cr_assert_eq(admissions_init(&admissions), 0);
    shared.admissions = &admissions;
    for (int i = 0; i < PEERS; i++) {
        peers[i].client.shared = &shared;
        peers[i].client.sender.conn = &peers[i].conn;
    }
}

/* token: of the connection; or NULL. */
static struct peer *arrive(int i, const char *token)
{
    admission_begin(&peers[i].client,
                    token == NULL ? (struct notify_str){NULL, 0} : notify_str_z(token));
    return &peers[i];
}

static struct peer *come(int i, const char *token)
{
    arrive(i, token);
    loop_testing_run_deferred();
    return &peers[i];
}

static enum admission_answer offer(struct peer *peer, const char *token)
{
    unsigned before = peer->answers;

    admission_offer(&peer->client, notify_str_z(token), on_answer, peer);
    loop_testing_run_deferred();
    cr_assert_eq(peer->answers, before + 1, "told once");
    return peer->answer;
}

static void end(void)
{
    for (int i = 0; i < PEERS; i++) {
        admission_end(&peers[i].client);
        cr_assert_eq(peers[i].waits, 0);
        peers[i].client.identity = identity_unref(peers[i].client.identity);
    }
    cr_assert_eq(waiting_len, 0);
    admissions_release(&admissions);
}

TestSuite(admission, .init = begin, .fini = end);

Test(admission, a_token_of_the_connection_says_who_it_is)
{
    struct peer *alice = arrive(0, "good alice 600");

    cr_assert_eq(alice->admitted, 0, "not from within");
    cr_assert_eq(alice->waits, 1, "it is not read from meanwhile");
    loop_testing_run_deferred();
    cr_assert_eq(alice->admitted, 1);
    cr_assert_eq(alice->waits, 0);
    cr_assert_eq(judged, 1);
    cr_assert(notify_str_eq(client_user(&alice->client), NOTIFY_STR("alice")));
    loop_testing_advance(TIMEOUT_MS * 2);
    cr_assert_eq(alice->conn.close_code, 0, "nothing more is waited for");
}

Test(admission, a_bad_one_closes_and_so_does_one_that_cannot_be_judged)
{
    static const struct {
        const char *token;
        int code;
    } cases[] = {{"bad", CONN_CLOSE_UNAUTHORIZED},
                 {"", CONN_CLOSE_UNAUTHORIZED},
                 {"memory", CONN_CLOSE_INTERNAL}};

    for (int i = 0; i < 3; i++) {
        struct peer *peer = come(i, cases[i].token);

        cr_assert_eq(peer->conn.close_code, cases[i].code, "%s", cases[i].token);
        cr_assert(peer->admitted == 0 && peer->client.identity == NULL);
    }
}

Test(admission, the_first_message_may_bring_it_in_time)
{
    struct peer *in_time = come(0, NULL), *late = come(1, NULL);

    loop_testing_advance(TIMEOUT_MS - 200);
    cr_assert_eq(offer(in_time, "good alice 600"), ADMISSION_GOOD);
    cr_assert_eq(in_time->admitted, 1);
    loop_testing_advance(500);
    cr_assert_eq(late->conn.close_code, CONN_CLOSE_UNAUTHORIZED);
    cr_assert_eq(in_time->conn.close_code, 0);
    cr_assert_eq(counter_values[COUNTER_AUTH_TIMEOUT], 1);
}

Test(admission, any_other_message_before_it_closes)
{
    struct peer *peer = come(0, NULL), *asking = come(1, NULL), *known = come(2, "good bob 600");

    admission_demand(&peer->client);
    cr_assert_eq(peer->conn.close_code, CONN_CLOSE_UNAUTHORIZED);
    admission_offer(&asking->client, NOTIFY_STR("good alice 600"), on_answer, asking);
    admission_demand(&asking->client);
    cr_assert_eq(asking->conn.close_code, 0, "its token is being judged");
    admission_demand(&known->client);
    cr_assert_eq(known->conn.close_code, 0);
    loop_testing_run_deferred();
    cr_assert_eq(asking->admitted, 1);
}

Test(admission, the_end_is_told_a_minute_before_and_comes_behind_the_leeway)
{
    struct peer *peer = come(0, "good alice 600");

    loop_testing_advance(539000);
    cr_assert_eq(peer->told, 0);
    loop_testing_advance(1500);
    cr_assert_eq(peer->told, 1);
    loop_testing_advance(60000 + LEEWAY_MS - 2000);
    cr_assert_eq(peer->conn.close_code, 0);
    loop_testing_advance(2000);
    cr_assert_eq(peer->conn.close_code, CONN_CLOSE_UNAUTHORIZED);
    cr_assert_eq(peer->told, 1, "once");
}

Test(admission, a_clock_that_is_set_while_a_token_lasts_is_noticed_within_a_minute)
{
    struct peer *peer = come(0, "good alice 86400"), *other;

    loop_testing_wall_ms += UINT64_C(86400) * 1000 + LEEWAY_MS;
    loop_testing_advance(61000);
    cr_assert_eq(peer->conn.close_code, CONN_CLOSE_UNAUTHORIZED);
    other = come(1, "good bob 600");
    loop_testing_wall_ms -= UINT64_C(86400) * 1000;
    loop_testing_advance(3600000);
    cr_assert_eq(other->told, 0, "it has not come yet");
    loop_testing_wall_ms += UINT64_C(86400) * 1000;
    loop_testing_advance(61000);
    cr_assert_eq(other->conn.close_code, CONN_CLOSE_UNAUTHORIZED);
}

Test(admission, another_token_moves_the_end_to_its_own_whether_later_or_sooner)
{
    struct peer *later = come(0, "good alice 600"), *sooner = come(1, "good bob 100000");

    loop_testing_advance(570000);
    cr_assert_eq(later->told, 1);
    cr_assert_eq(offer(later, "good alice 600"), ADMISSION_GOOD);
    cr_assert_eq(offer(sooner, "good bob 30"), ADMISSION_GOOD);
    cr_assert(later->renewed == 1 && later->admitted == 1);
    loop_testing_advance(200);
    cr_assert_eq(sooner->told, 1);
    loop_testing_advance(30000 + LEEWAY_MS);
    cr_assert_eq(sooner->conn.close_code, CONN_CLOSE_UNAUTHORIZED);
    loop_testing_advance(480000);
    cr_assert_eq(later->conn.close_code, 0);
    cr_assert_eq(later->told, 2, "its end is told, too");
}

Test(admission, a_renewal_that_is_no_good_changes_nothing)
{
    struct peer *peer = come(0, "good alice 600");
    struct identity *before = peer->client.identity;

    cr_assert_eq(offer(peer, "bad"), ADMISSION_BAD);
    cr_assert_eq(offer(peer, "good mallory 600"), ADMISSION_OF_ANOTHER);
    cr_assert_eq(offer(peer, "memory"), ADMISSION_NOT_NOW);
    cr_assert_eq(peer->client.identity, before);
    cr_assert(peer->renewed == 0 && peer->conn.close_code == 0);
    peer->answer = ADMISSION_DROPPED;
    admission_offer(&peer->client, NOTIFY_STR("good alice 900"), on_answer, peer);
    admission_offer(&peer->client, NOTIFY_STR("good alice 900"), on_answer, peer);
    cr_assert_eq(peer->answer, ADMISSION_NOT_NOW, "one at a time");
    loop_testing_run_deferred();
    cr_assert_eq(peer->answer, ADMISSION_GOOD);
}

Test(admission, a_token_of_an_unknown_key_waits_for_other_keys_once)
{
    struct peer *peer = come(0, "later alice 600"), *again = come(1, "later");

    cr_assert_eq(waiting_len, 2);
    loop_testing_advance(TIMEOUT_MS * 2);
    cr_assert_eq(peer->conn.close_code, 0, "whoever gives keys says when that is over");
    keys_come();
    cr_assert_eq(peer->admitted, 1);
    cr_assert_eq(again->conn.close_code, CONN_CLOSE_UNAUTHORIZED);
}

Test(admission, where_there_are_no_keys_and_none_come_it_is_not_the_tokens_fault)
{
    struct peer *peer;

    waiting_len = sizeof(waiting) / sizeof(waiting[0]); /* so many wait already */
    peer = come(0, "nokeys");
    waiting_len = 0;
    cr_assert_eq(peer->conn.close_code, CONN_CLOSE_TRY_AGAIN);
}

Test(admission, where_too_many_wait_for_keys_already_nobody_is_told_that_the_token_is_bad)
{
    struct peer *known = come(0, "good alice 600"), *peer;

    waiting_len = sizeof(waiting) / sizeof(waiting[0]);
    peer = come(1, "later");
    admission_offer(&known->client, NOTIFY_STR("later alice 900"), on_answer, known);
    loop_testing_run_deferred();
    waiting_len = 0;
    cr_assert_eq(peer->conn.close_code, CONN_CLOSE_TRY_AGAIN);
    cr_assert_eq(known->answer, ADMISSION_NOT_NOW);
    cr_assert_eq(known->conn.close_code, 0);
}

Test(admission, who_goes_while_a_token_is_judged_or_waits_is_told_nothing_more)
{
    struct peer *judging = arrive(0, NULL), *waits = come(1, NULL);

    admission_offer(&judging->client, NOTIFY_STR("good alice 600"), on_answer, judging);
    admission_end(&judging->client);
    cr_assert_eq(judging->answer, ADMISSION_DROPPED);
    admission_offer(&waits->client, NOTIFY_STR("later alice 600"), on_answer, waits);
    loop_testing_run_deferred();
    cr_assert_eq(waiting_len, 1);
    admission_end(&waits->client);
    cr_assert_eq(waiting_len, 0, "nobody would be there to be told of keys");
    cr_assert_eq(waits->answer, ADMISSION_DROPPED);
    cr_assert(waits->answers == 1 && judging->answers == 1);
    cr_assert_eq(judged, 1);
}

/* Runs what has been deferred by now, but not what that defers. */
static unsigned judged_in_a_turn(void)
{
    unsigned before = judged;
    struct loop_testing_call call = loop_testing_deferred[0];

    cr_assert_eq(loop_testing_deferred_len, 1);
    loop_testing_deferred_len = 0;
    call.fn(call.ctx);
    return judged - before;
}

Test(admission, few_are_judged_in_a_turn_and_fewer_if_each_takes_long)
{
    for (int i = 0; i < PEERS; i++)
        arrive(i, "good alice 600");
    cr_assert_eq(judged_in_a_turn(), 16);
    judging_ms = 1;
    cr_assert_eq(judged_in_a_turn(), 2);
    judging_ms = 50;
    cr_assert_eq(judged_in_a_turn(), 1, "but always one");
    judging_ms = 0;
    loop_testing_run_deferred();
    for (int i = 0; i < PEERS; i++)
        cr_assert_eq(peers[i].admitted, 1);
}

Test(admission, a_token_that_lasts_for_ever_is_looked_at_each_hour_and_never_ends)
{
    struct peer *peer = come(0, "good alice 4000000000");

    loop_testing_advance(UINT64_C(2) * 24 * 3600 * 1000);
    cr_assert(peer->told == 0 && peer->conn.close_code == 0);
}
