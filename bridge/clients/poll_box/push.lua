-- A POST. ARGV: what it brought (empty: a pong alone), whether a pong is in it, how many bytes and items of input a
-- box may have.
local v, w, h, k, kg, g, pi, pt, i, c, b = unpack(redis.call('HMGET', key, 'v', 'w', 'h', 'k', 'kg', 'g', 'pi', 'pt', 'i',
  'c', 'b'))
local keeps = keeper(k, kg, g)
if fault(v, w) then
  return {fault(v, w)}
elseif ARGV[1] ~= '' and not add(ARGV[1], h, keeps, i, c, b, ARGV[3], ARGV[4]) then
  return {'FULL'}
end
if ARGV[2] == '1' then
  local due = now() + pi
  redis.call('HSET', key, 'p', due, 'd', due + pt)
  redis.call('PEXPIREAT', key, due + pt)
end
wake_one(keeps, h, 'input')
return {'DONE'}
