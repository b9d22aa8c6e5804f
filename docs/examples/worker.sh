#!/bin/sh
# A worker in shell, with redis-cli alone (docs/agents.md): answers what clients ask an agent with what a command makes of it.
#
#     docs/examples/worker.sh [redis-cli's options, such as -p 6390]
#
# The command is in AGENT_COMMAND; it gets the message as its input. It takes over no one else's requests and streams in one
# piece; worker.py does both properly.
set -u

stream=${AGENT_STREAM:-agent:requests}
command=${AGENT_COMMAND:-tr a-z A-Z}
name=$(uname -n)-$$

# One event of an answer: Lua makes JSON of any text, and Redis takes each number of a request once.
say='local data = {request_id = ARGV[2], seq = tonumber(ARGV[3])}
if ARGV[4] ~= "" then data[ARGV[4]] = ARGV[5] end
return redis.call("NOTIFY.EVENT", KEYS[1], ARGV[1], "DATA", cjson.encode(data), "IDEMPOTENT", ARGV[2] .. ":" .. ARGV[3], "EX", 3600)'

redis-cli "$@" XGROUP CREATE "$stream" agents 0 MKSTREAM >/dev/null 2>&1 # it may be there already
echo ready

# An entry is printed a line for each: the stream, the id, then fields and values in their order (docs/agents.md). Only the message,
# which comes last, may have more lines than one; what the others hold is not looked for by its looks, as clients choose some of it.
while entry=$(redis-cli "$@" XREADGROUP GROUP agents "$name" COUNT 1 BLOCK 5000 STREAMS "$stream" '>'); do
    line() { printf '%s\n' "$entry" | sed -n "$1p"; }
    id=$(line 2) request=$(line 4) answer=$(line 10) key=$(line 12)
    [ -n "$id" ] || continue
    reply=$(printf '%s\n' "$entry" | sed 1,15d | sh -c "$command")
    echo "answering $request"
    if [ "$answer" = stream ]; then
        redis-cli "$@" EVAL "$say" 1 "$key" start "$request" 1 '' '' >/dev/null
        redis-cli "$@" EVAL "$say" 1 "$key" token "$request" 2 content "$reply" >/dev/null
        redis-cli "$@" EVAL "$say" 1 "$key" end "$request" 3 message_id "$request" >/dev/null
    else
        redis-cli "$@" EVAL "$say" 1 "$key" message "$request" 1 reply "$reply" >/dev/null
    fi
    redis-cli "$@" XACK "$stream" agents "$id" >/dev/null
done
