-- A WebSocket is about to take the session over. ARGV: node, for how many ms that holds.
local v, w, u, ue, h, k, kg, g = unpack(redis.call('HMGET', key, 'v', 'w', 'u', 'ue', 'h', 'k', 'kg', 'g'))
if fault(v, w) then
  return {fault(v, w)}
elseif is_probed(u, ue) then
  return {'PROBED'}
end
redis.call('HDEL', key, 'uw')
redis.call('HSET', key, 'u', ARGV[1], 'ue', now() + ARGV[2])
if h then
  ask_of(keeper(k, kg, g) or h, 'probed')
end
return {'DONE'}
