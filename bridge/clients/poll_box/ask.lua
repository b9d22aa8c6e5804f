-- Whose GET somebody else serves asks how that stands. ARGV: who, what names the request (empty: nothing does), whether
-- it is not to be served any more.
local v, h, k, kg, g, at, a, hs, c = unpack(redis.call('HMGET', key, 'v', 'h', 'k', 'kg', 'g', 'at', 'a', 'hs', 'c'))
local name = ARGV[2] == '' and ARGV[1] or ARGV[2]
local keeps = keeper(k, kg, g)
if h ~= ARGV[1] then
  if at ~= name then
    return {'LOST'}
  end
  redis.call('HDEL', key, 'ah')
  return {'AGAIN', a or ''}
elseif v ~= VERSION then
  return {'LOST'}
elseif keeps and ARGV[3] == '1' then
  redis.call('HDEL', key, 'h', 'ht')
  redis.call('HSET', key, 'a', '6', 'at', name)
  return {'AGAIN', '6'}
elseif keeps and ask_of(keeps, 'wanted') > 0 then
  return {'SERVED'}
end
return inherit(ARGV[1], hs, c)
