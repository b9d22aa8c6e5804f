/* chat_stream -- POST /api/v1/chat/stream (docs/agents.md). */
#ifndef CHAT_STREAM_H
#define CHAT_STREAM_H

#include "requests/http_call.h"

extern const struct http_call chat_stream_call;

#endif
