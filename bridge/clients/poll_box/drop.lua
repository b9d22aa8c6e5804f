-- The session has ended. ARGV: its holder, or empty: whoever holds it is woken. An answer that somebody has not yet heard
-- of stays for him.
local h, k, kg, g, a, at, ah = unpack(redis.call('HMGET', key, 'h', 'k', 'kg', 'g', 'a', 'at', 'ah'))
local keeps = keeper(k, kg, g)
if ARGV[1] ~= '' and h ~= ARGV[1] and keeps ~= ARGV[1] then
  return {'LOST'}
end
redis.call('DEL', key)
if ah and ah ~= ARGV[1] then
  leave(a or '', at or '')
end
if h and h ~= ARGV[1] then
  wake(h, 'closed')
end
if keeps and keeps ~= h and keeps ~= ARGV[1] then
  wake(keeps, 'closed')
end
return {'DONE'}
