-- A POST after which its client is gone. ARGV: what it brought (empty: that is in the box already), how many bytes and
-- items of input a box may have, who asks. Whoever has the session reads it; if nobody does, it is the asker's.
local v, w, h, k, kg, g, i, hs, c, b = unpack(redis.call('HMGET', key, 'v', 'w', 'h', 'k', 'kg', 'g', 'i', 'hs', 'c', 'b'))
local keeps = keeper(k, kg, g)
if fault(v, w) then
  return {fault(v, w)}
elseif ARGV[1] ~= '' and not add(ARGV[1], h, keeps, i, c, b, ARGV[2], ARGV[3]) then
  return {'FULL'}
elseif wake_one(keeps, h, 'input') then
  return {'HELD'}
end
return inherit(ARGV[4], hs, c)
