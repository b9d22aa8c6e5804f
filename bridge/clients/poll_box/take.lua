-- A GET wants to be answered. ARGV: who, what names the request (empty: nothing does), and if he keeps the session g as he
-- knows it, and what it was when he had last said something.
local v, w, u, ue, h, ht, k, kg, g, at, hs, c, sb = unpack(redis.call('HMGET', key, 'v', 'w', 'u', 'ue', 'h', 'ht', 'k', 'kg', 'g',
  'at', 'hs', 'c', 'sb'))
if fault(v, w) then
  return {fault(v, w)}
elseif not h and ARGV[2] ~= '' and at == ARGV[2] then
  return {'AGAIN', redis.call('HGET', key, 'a') or ''} -- also while there is an upgrade: nobody else will say it
elseif is_probed(u, ue) then
  return {'PROBED'}
end
local keeps = keeper(k, kg, g)
local repeats = ARGV[2] ~= '' and ht == ARGV[2] -- as a proxy does when the bridge is gone that it had asked
if h and not repeats and wake(h, 'overlap') > 0 then
  if keeps and keeps ~= h then
    wake(keeps, 'overlap')
  end
  redis.call('DEL', key)
  return {'OVERLAP'}
end
redis.call('HSET', key, 'ht', ARGV[2])
note_if_set_back(ARGV[1], g, ARGV[3], ARGV[4])
if keeps == ARGV[1] and g == ARGV[3] and not is_to_tell(sb, hs, c) then
  return hold(ARGV[1], true)
elseif keeps and keeps ~= ARGV[1] and ask_of(keeps, 'wanted') > 0 then
  redis.call('HSET', key, 'h', ARGV[1], 'ht', ARGV[2] == '' and ARGV[1] or ARGV[2])
  return {'SERVED'}
end
return inherit(ARGV[1], hs, c)
