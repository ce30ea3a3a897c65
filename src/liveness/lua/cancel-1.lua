-- Flags a request for cancellation and tells its owner; a request not registered yet finds the flag.
-- A message may get lost, or go down a half-open connection: the owner's next renewal brings it too.
--
-- KEYS[1] request (hash)
-- ARGV[1] id that the owner is told: the request's, or that of an item of it, for which there is no flag
-- ARGV[2] life of what nobody reads, ms  ARGV[3] key prefix  ARGV[4] who asks: 'workflow' or 'operator'
-- -> 2 when the owner listened, 1 when it did not, 0 when there is none
local request, id, ttl, prefix, by = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
-- What the workflow asks for goes before what an operator does.
local write = by == 'workflow' and 'HSET' or 'HSETNX'
local owner = redis.call('HGET', request, 'owner')
if request == prefix .. 'request:' .. id then
  redis.call(write, request, 'cancel', by)
  if not owner and redis.call('PTTL', request) < 0 then redis.call('PEXPIRE', request, ttl) end
end
if not owner then return 0 end
local cancels = prefix .. 'cancels:' .. owner
redis.call(write, cancels, id, by)
redis.call('PEXPIRE', cancels, ttl)
local message = cjson.encode({ 'cancelled', id, by })
return redis.call('PUBLISH', prefix .. 'owner:' .. owner, message) > 0 and 2 or 1
