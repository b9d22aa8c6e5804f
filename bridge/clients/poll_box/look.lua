-- Who has the session was woken. ARGV: who, g as he knows it, what names the GET that he has himself (empty: none), and what
-- g was when he had last said something. Without a GET of his nobody knows whether what he has answered since was heard: then
-- it is gone on with from what stands here. So it is if a GET waits whose client is to be told that it had more.
local v, h, k, kg, g, u, ue, uw, due, dead, pi, pt, i, hs, c, sb = unpack(redis.call('HMGET', key, 'v', 'h', 'k', 'kg',
  'g', 'u', 'ue', 'uw', 'p', 'd', 'pi', 'pt', 'i', 'hs', 'c', 'sb'))
local keeps = keeper(k, kg, g)
if v == VERSION and ARGV[3] == '' then
  note_if_set_back(ARGV[1], g, ARGV[2], ARGV[4])
end
if v ~= VERSION or (keeps or h) ~= ARGV[1] then
  return lost(v)
elseif ARGV[3] == '' and (g ~= ARGV[2] or h and keeps and is_to_tell(sb, hs, c)) then
  give_up(ARGV[1], h, keeps)
  return lost(v)
end
local _, items = input(hs + 1, i)
if hs ~= i then
  redis.call('HSET', key, 'hs', i)
end
local ping_in, dead_in = times(due, dead, pi, pt)
local probed = is_probed(u, ue)
return {'DONE', table.concat(items, '\30'), ping_in, dead_in, probed and 1 or 0, 0, '', i, 0, 0, h and 1 or 0,
  probed and uw and 1 or 0}
