-- The box of a session that is polled, between its polls: a hash, written by these scripts alone.
-- Each of them is run with this text in front, and does one thing that must not come in pieces.
--
--   v         of this format; a box of another one is none that is known
--   pi, pt    ping interval and time-out that its client was told
--   d, p      when it is dead, and when the next ping is due (0: one is under way), in ms of Redis' clock
--   s         the state that whoever takes the box goes on from
--   h, ht     whose GET is held: <node of the bridge>:<number>, whose channel is eio:<node>; and what names it
--   k, kg     who keeps the session in memory between its polls, since which g: an older bridge knows nothing of that
--   g         1 once it was opened, and when it was given back last, as a number that only rises: whoever has it in his
--             memory says what it was when he had it last. Redis may have lost something since (a failover), and with it
--             whom he had answered what
--   sb        its client may have had more than s says, of what Redis has lost: 1, or 2 once who holds the box tells it so
--   f, fg     without whom it was gone on with last, and what g was then
--   i1, i2 …  input: what was POSTed; i: the last one, hs: the last that the holder was given,
--   c         the last that was dealt with, b: bytes of those behind it
--   a, at     the last answer, and what names the request that it was for
--   ah        whose GET that was, at another bridge than who answered it, until he has heard of it
--   u, ue     the node over which it is about to go over to a WebSocket, and until when that holds
--   uw        it is about to be taken over: who keeps it gives it away
--   lt        when its client was last told that what is not stored may have passed it by
--   w         it has gone over: nothing else is there then
local key = KEYS[1]
local VERSION = '1'
local ITEMS_MAX = 1024 -- more is nothing that these scripts have written
local PROBE_MS_MAX = 20000 -- nobody probes for so long

-- In ms. A script has one time.
local clock
local function now()
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

-- Why nothing can be done with a box that is polled: there is none that is known, or it is none any more; else nil.
local function fault(v, w)
  return v ~= VERSION and 'UNKNOWN' or w and 'UPGRADED' or nil
end

-- Why a holder has it no more: somebody else goes on with it, or has given it back; or there is no such box.
local function lost(v)
  return {v == VERSION and 'ELSEWHERE' or 'LOST'}
end

-- What is left until the time of that name, and never more than it can be: the clock is another one if the server is. Then
-- it is most from now on, or whoever looks would put it off.
local function left(name, at, most)
  local ms = math.max(0, at - now())
  if ms <= tonumber(most) then
    return ms
  end
  redis.call('HSET', key, name, now() + most)
  return tonumber(most)
end

-- Is a WebSocket about to take it over? What is of another clock would be true once this one has come so far.
local function is_probed(u, ue)
  local ms = u and ue - now() or 0
  if ms > PROBE_MS_MAX then
    redis.call('HDEL', key, 'u', 'ue', 'uw')
  end
  return ms > 0 and ms <= PROBE_MS_MAX
end

-- A bridge that is gone listens to nothing: 0.
local function wake(holder, why)
  local node, number = string.match(holder, '^(%x+):(%d+)$')
  return node and redis.call('PUBLISH', 'eio:' .. node, number .. ' ' .. why) or 0
end

-- The same where somebody is to do something, with what the session is called: a bridge at which nobody is who has the
-- session gives it up (disown.lua).
local function ask_of(holder, why)
  return wake(holder, why .. ' ' .. string.match(key, '{(.*)}'))
end

-- Who keeps the session.
local function keeper(k, kg, g)
  return k and kg == g and k or nil
end

-- Whoever has the session; if he is gone, that is noticed by whose GET he was to serve. False: both are.
local function wake_one(keeps, h, why)
  return keeps and ask_of(keeps, why) > 0 or h and h ~= keeps and ask_of(h, why) > 0
end

-- What is no number is no more within bounds than what is below none.
local function is_within(number, max)
  return number >= 0 and number <= max
end

-- The fields of input from first on to last, and what is in them. Counted are the steps: beyond 2^53 a number that one is
-- added to stays what it is.
local function input(first, last)
  local names = {}
  if last - first >= ITEMS_MAX then
    error('too many items')
  end
  for step = 0, last - first do
    names[#names + 1] = 'i' .. (first + step)
  end
  return names, #names > 0 and redis.call('HMGET', key, unpack(names)) or {}
end

-- given: what g was when who has the session in his memory had it last; said: when he had last answered more than a ping. Has
-- Redis lost that, or did it not know of it when somebody went on without him? Who goes on is to say so.
local function note_if_set_back(who, g, given, said)
  if g == given or said == '0' then
    return
  end
  local f, fg = unpack(redis.call('HMGET', key, 'f', 'fg'))
  if tonumber(said) > (tonumber(g) or 0) or f == who and tonumber(said) > (tonumber(fg) or 0) then
    redis.call('HSET', key, 'sb', 1)
  end
end

-- Is its client to be told by whoever goes on from what stands here, and can that be done? (inherit)
local function is_to_tell(sb, hs, c)
  return sb == '1' and hs == c
end

-- Who is named as having the session is not who goes on with it. Whose GET he was to serve asks again.
local function give_up(who, h, keeps)
  if h == who then
    redis.call('HDEL', key, 'h', 'ht')
  end
  if keeps == who then
    redis.call('HDEL', key, 'k', 'kg')
    if h and h ~= who then
      wake(h, 'given')
    end
  end
end

-- Adds to the input what a POST brought, unless a box may have no more bytes or items: then it is gone, whoever has to do
-- with it told.
local function add(payload, h, keeps, i, c, b, bytes_max, items_max)
  if not (is_within(b + #payload, tonumber(bytes_max)) and is_within(i - c, items_max - 1)) then
    redis.call('DEL', key)
    for _, one in pairs({h or nil, keeps}) do
      wake(one, 'full')
    end
    return false
  end
  redis.call('HSET', key, 'i', i + 1, 'i' .. (i + 1), payload, 'b', b + #payload)
  return true
end

-- In how many ms the ping is due, -1 while one is under way; and death.
local function times(due, dead, pi, pt)
  local dead_in = left('d', dead, pi + pt)
  if dead_in < dead - now() then
    redis.call('PEXPIREAT', key, now() + dead_in)
  end
  return due == '0' and -1 or left('p', due, pi), dead_in
end

-- Who goes on from what stands here, and has it not in his memory: the state, whether what is not stored may have passed its
-- client by, and whether that may have had more. g, pi: of the box.
local function go_on(who, g, pi)
  local s, lt, sb, h, k, kg, f = unpack(redis.call('HMGET', key, 's', 'lt', 'sb', 'h', 'k', 'kg', 'f'))
  local former = keeper(k, kg, g) or h
  local missed = g ~= '1' and not (lt and math.abs(now() - lt) < tonumber(pi))
  redis.call('HDEL', key, 'k', 'kg')
  if former and former ~= who then
    redis.call('HSET', key, 'f', former, 'fg', g)
  elseif f == who then
    redis.call('HDEL', key, 'f', 'fg')
  end
  if sb then
    redis.call('HSET', key, 'sb', 2)
  end
  if missed then
    redis.call('HSET', key, 'lt', now())
  end
  return s, missed and 1 or 0, sb and 1 or 0
end

-- The session is who's from now on, with all that has come since it was given back. known: it is in his memory.
local function hold(who, known)
  local g, due, dead, pi, pt, i, hs, c, u, ue = unpack(redis.call('HMGET', key, 'g', 'p', 'd', 'pi', 'pt', 'i', 'hs', 'c',
    'u', 'ue'))
  local _, items = input((known and hs or c) + 1, i)
  local ping_in, dead_in = times(due, dead, pi, pt)
  local s, missed, set_back = '', 0, 0
  if not known then
    s, missed, set_back = go_on(who, g, pi)
  end
  redis.call('HSET', key, 'h', who, 'hs', i)
  return {'DONE', table.concat(items, '\30'), ping_in, dead_in, is_probed(u, ue) and 1 or 0, g, s, i, known and 1 or 0,
    missed, 0, 0, set_back}
end

-- Nobody who lives has the session: then it is who's. What a bridge that is gone has done of its input nobody knows.
local function inherit(who, hs, c)
  if hs ~= c then
    redis.call('DEL', key)
    return {'UNKNOWN'}
  end
  return hold(who, false)
end

-- An answer for somebody who has not yet heard of it, when there is no session any more.
local function leave(answer, at)
  redis.call('HSET', key, 'a', answer, 'at', at)
  redis.call('PEXPIREAT', key, now() + 10000)
end
