-- Flags a request for cancellation and tells its owner; a request not registered yet finds the flag.
--
-- KEYS[1] request (hash)
-- ARGV[1] request id  ARGV[2] life of a flag nobody reads, ms  ARGV[3] key prefix
-- -> 1 when there is an owner, else 0
local request, id, ttl, prefix = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
redis.call('HSET', request, 'cancel', 1)
local owner = redis.call('HGET', request, 'owner')
if not owner then
  if redis.call('PTTL', request) < 0 then redis.call('PEXPIRE', request, ttl) end
  return 0
end
redis.call('PUBLISH', prefix .. 'owner:' .. owner, cjson.encode({ 'cancelled', id }))
return 1
