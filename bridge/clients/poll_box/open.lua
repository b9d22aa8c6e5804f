-- A new box. ARGV: ping interval, ping time-out, state.
if redis.call('EXISTS', key) == 1 then
  return {'LOST'}
end
local due = now() + ARGV[1]
redis.call('HSET', key, 'v', VERSION, 'pi', ARGV[1], 'pt', ARGV[2], 's', ARGV[3], 'p', due, 'd', due + ARGV[2],
  'g', 1, 'i', 0, 'hs', 0, 'c', 0, 'b', 0)
redis.call('PEXPIREAT', key, due + ARGV[2])
return {'DONE'}
