#include "requests/rest_calls.h"

#include "net/http.h"
#include "requests/answer.h"
#include "requests/request.h"
#include "requests/request_handlers.h"
#include "requests/request_run.h"
#include "wire/inbound.h"
#include "wire/json_scan.h"

/* Any request of a client's as it would send it on a WebSocket, answered alike. */
static void handle_any(struct request *r)
{
    struct notify_str body = http_call_request(r)->body;
    struct inbound inbound = {.len = 0};
    struct json_fault fault;

    if (inbound_read(body, &inbound, &fault))
        request_run(r, &inbound);
    else
        answer_bad_json(r, "the body", body, &fault);
}

const struct http_call rest_requests = {
    .type = {.name = "the request", .handle = handle_any, NO_MEMBERS},
    .pattern = "/api/v1/requests",
    .body_max = HTTP_BODY_USUAL,
    .raw_body = true,
    .guests = true,
};

const struct http_call rest_sessions = {
    .type = {.name = "the sessions",
             .handle = request_handle_presence,
             MEMBERS(MUST("user_id", MEMBER_NAME), MAY("list", MEMBER_FLAG))},
    .pattern = "/api/v1/sessions/{user_id}",
    .given = "list=true",
};

const struct http_call rest_statistics = {
    .type = {.name = "the statistics",
             .handle = request_handle_statistics,
             MEMBERS(MAY("list", MEMBER_FLAG))},
    .pattern = "/api/v1/statistics",
};

const struct http_call rest_kick = {
    .type = {.name = "kick",
             .handle = request_handle_kick,
             MEMBERS(MUST("user_id", MEMBER_NAME), MAY("session_id", MEMBER_NAME))},
    .pattern = "/api/v1/sessions/{user_id}/kick",
    .body_max = HTTP_BODY_USUAL,
};
