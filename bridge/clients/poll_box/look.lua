-- Who has the session was woken. ARGV: who.
local v, h, k, kg, g, u, ue, uw, due, dead, i, hs = unpack(redis.call('HMGET', key, 'v', 'h', 'k', 'kg', 'g', 'u', 'ue', 'uw',
  'p', 'd', 'i', 'hs'))
local keeps = keeper(k, kg, g)
if v ~= VERSION or (keeps or h) ~= ARGV[1] then
  return {'LOST'}
end
local _, items = input(hs + 1, i)
if hs ~= i then
  redis.call('HSET', key, 'hs', i)
end
local ping_in, dead_in = times(due, dead)
local probed = is_probed(u, ue)
return {'DONE', table.concat(items, '\30'), ping_in, dead_in, probed and 1 or 0, 0, '', i, 0, 0, h and 1 or 0,
  probed and uw and 1 or 0}
