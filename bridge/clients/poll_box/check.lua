-- Is there such a session, and is it polled?
local v, w = unpack(redis.call('HMGET', key, 'v', 'w'))
return {fault(v, w) or 'DONE'}
