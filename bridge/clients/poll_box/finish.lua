-- The session has ended with an answer to somebody else's GET. ARGV: who, answer.
local v, h, ht, k, kg, g = unpack(redis.call('HMGET', key, 'v', 'h', 'ht', 'k', 'kg', 'g'))
if v ~= VERSION or keeper(k, kg, g) ~= ARGV[1] then
  return {'LOST'}
end
redis.call('DEL', key)
if h then
  leave(ARGV[2], ht or '')
  wake(h, 'given')
end
return {'DONE'}
