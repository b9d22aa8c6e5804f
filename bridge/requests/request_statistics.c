/* request_statistics -- statistics: for whoever may see everybody. */
#include "requests/request_handlers.h"

#include "identity/identity.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_members.h"
#include "requests/statistics.h"

#define EVERYBODY "*" /* as a right to see presence says it */

void request_handle_statistics(struct request *r)
{
    json_t *answer;

    if (!identity_may_all(r->identity, RIGHT_PRESENCE, NOTIFY_STR(EVERYBODY))) {
        answer_lacks_right(r, "type", RIGHT_PRESENCE, NOTIFY_STR(EVERYBODY));
        return;
    }
    answer = statistics_of(r->shared, request_value(r, "list")->flag);
    if (answer == NULL)
        answer_error(r, ANSWER_PROCESSING_ERROR, NULL, "out of memory");
    else
        answer_json(r, answer);
}
