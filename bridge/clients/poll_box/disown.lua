-- Who is named as having the session has it no more, and his bridge is still there: it was not heard of, or not taken, that
-- he gave it back or ended it. ARGV: who.
local v, h, k, kg, g = unpack(redis.call('HMGET', key, 'v', 'h', 'k', 'kg', 'g'))
local keeps = keeper(k, kg, g)
if v ~= VERSION or keeps ~= ARGV[1] and h ~= ARGV[1] then
  return {'LOST'}
end
give_up(ARGV[1], h, keeps)
return {'DONE'}
