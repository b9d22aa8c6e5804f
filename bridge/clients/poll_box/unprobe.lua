-- It will not, after all. ARGV: node.
if redis.call('HGET', key, 'u') ~= ARGV[1] then
  return {'LOST'}
end
redis.call('HDEL', key, 'u', 'ue', 'uw')
return {'DONE'}
