-- It takes the session over, for good: what is left only says so. ARGV: node.
local v, u, h, k, kg, g, s, due, dead, pi, pt, i, hs, c, sb = unpack(redis.call('HMGET', key, 'v', 'u', 'h', 'k', 'kg', 'g', 's',
  'p', 'd', 'pi', 'pt', 'i', 'hs', 'c', 'sb'))
local keeps = keeper(k, kg, g)
if v ~= VERSION or u ~= ARGV[1] then
  return {'LOST'}
elseif keeps or h then
  redis.call('HSET', key, 'uw', 1)
  if wake_one(keeps, h, 'probed') then
    return {'HELD'}
  elseif hs ~= c then
    redis.call('DEL', key)
    return {'UNKNOWN'}
  end
end
local _, items = input(c + 1, i)
local ping_in, dead_in = times(due, dead, pi, pt)
redis.call('DEL', key)
redis.call('HSET', key, 'v', VERSION, 'w', 1)
redis.call('PEXPIREAT', key, now() + dead_in)
return {'DONE', table.concat(items, '\30'), ping_in, dead_in, 0, 0, s, i, 0, 0, 0, 0, sb and 1 or 0}
