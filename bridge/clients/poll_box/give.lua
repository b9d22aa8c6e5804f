-- Who has the session gives its box back. ARGV: who, state, whether there is an answer, that, whether it holds a ping,
-- the last item of input that has been dealt with, whether he keeps the session in his memory, and the last three of
-- look.lua.
local v, h, ht, k, kg, g, i, hs, c, b, sb = unpack(redis.call('HMGET', key, 'v', 'h', 'ht', 'k', 'kg', 'g', 'i', 'hs', 'c', 'b',
  'sb'))
if v == VERSION and ARGV[9] == '' then
  note_if_set_back(ARGV[1], g, ARGV[8], ARGV[10])
end
if v ~= VERSION or (keeper(k, kg, g) or h) ~= ARGV[1] then
  return lost(v)
elseif g ~= ARGV[8] and ARGV[9] == '' then
  give_up(ARGV[1], h, keeper(k, kg, g))
  return lost(v)
elseif g ~= ARGV[8] then
  h, ht = ARGV[1], ARGV[9] -- whose GET it was then is answered long since
end
if ARGV[3] == '1' and ARGV[7] == '1' and h ~= ARGV[1] and (not h or wake(h, 'given') == 0) then
  redis.call('HDEL', key, 'h', 'ht')
  return {'UNHEARD'} -- the bridge is gone whose GET that was
elseif ARGV[3] == '1' and not h then
  redis.call('HDEL', key, 'k', 'kg')
  return {'UNHEARD'} -- nobody's GET is left that the answer is for: who comes next goes on from before it
end
local done, items = input(c + 1, math.min(ARGV[6], hs))
for _, item in ipairs(items) do
  b = b - #item
end
if #done > 0 then
  redis.call('HDEL', key, unpack(done))
end
local given = math.max(g + 1, now()) -- two branches that went on from one place come to different ones
redis.call('HSET', key, 'g', given, 's', ARGV[2], 'c', c + #done, 'hs', c + #done, 'b', b)
if sb == '2' then -- else it was noted since he had the box: who goes on next tells it
  redis.call('HDEL', key, 'sb')
end
if ARGV[3] == '1' and h then
  redis.call('HDEL', key, 'h', 'ht', 'ah')
  redis.call('HSET', key, 'a', ARGV[4], 'at', ht or '')
  if h ~= ARGV[1] then
    redis.call('HSET', key, 'ah', h)
  end
end
if ARGV[5] == '1' then
  redis.call('HSET', key, 'p', 0)
end
if ARGV[7] == '1' then
  redis.call('HSET', key, 'k', ARGV[1], 'kg', given)
else
  redis.call('HDEL', key, 'k', 'kg')
end
if h and h ~= ARGV[1] and ARGV[7] ~= '1' then
  wake(h, 'given')
end
return {'DONE', '', -1, 0, 0, given}
