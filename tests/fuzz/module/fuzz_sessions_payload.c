/* Any bytes as a saved session set. What is accepted must be sound, save to the bytes that it came
 * from, and stand being changed. */
#include <stdint.h>
#include <stdlib.h>

#include "sessions/sessions_plan.h"
#include "sessions_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool is_any(void *ctx, const struct sessions_connection *connection)
{
    (void)connection;
    return (*(unsigned *)ctx)++ % 2 == 0;
}

static void change(struct sessions *set)
{
    struct sessions_connection c = test_connection("a session", "a connection", 9);
    unsigned calls = 0;

    require(sessions_count(set, SESSIONS_ALL).connections == sessions_length(set));
    (void)sessions_plan_remove_if(set, is_any, &calls);
    sessions_plan_end(set);
    require(sessions_verify(set));
    (void)sessions_put(&set, &c);
    require(sessions_verify(set));
    sessions_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notify_str payload = notify_str_of((const char *)data, size);
    const char *why = NULL;
    struct sessions *set = sessions_load(payload, &why);
    struct text_buf saved = TEXT_BUF_INIT;

    require((set == NULL) == (why != NULL));
    if (set == NULL)
        return 0;
    require(sessions_verify(set));
    sessions_save(set, &saved);
    require(notify_str_eq(text_buf_str(&saved), payload));
    text_buf_release(&saved);
    change(set);
    return 0;
}
