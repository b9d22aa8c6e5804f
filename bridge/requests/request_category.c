/* request_category -- subscribe_category, unsubscribe_category: what a client gets of logs. */
#include "requests/request_handlers.h"

#include "clients/categories.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"

static void answer_choice(struct request *r, enum category_answer answer, const char *status)
{
    struct notify_str category = request_text(r, "category");

    switch (answer) {
    case CATEGORY_DONE:
        answer_json(r, json_pack("{s:s, s:s%, s:s}", "type", "subscription", "category",
                                 category.ptr, category.len, "status", status));
        break;
    case CATEGORY_FORBIDDEN:
        answer_lacks_right(r, "category", RIGHT_PERMITTED, category);
        break;
    case CATEGORY_TOO_MANY:
        answer_error(r, ANSWER_TOO_MANY_SUBSCRIPTIONS, "category",
                     "this connection has chosen as many categories as it may");
        break;
    case CATEGORY_NO_MEMORY:
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
        break;
    }
}

void request_handle_subscribe_category(struct request *r)
{
    answer_choice(r, categories_join(r->client, request_text(r, "category")), "subscribed");
}

void request_handle_unsubscribe_category(struct request *r)
{
    answer_choice(r, categories_leave(r->client, request_text(r, "category")), "unsubscribed");
}
