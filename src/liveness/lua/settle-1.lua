-- Keeps the outcome of a request until Temporal has it.
--
-- KEYS[1] request (hash)  ARGV[1] owner  ARGV[2] outcome, JSON
-- -> 1, or 0 when the caller no longer owns the request
local request, owner, outcome = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HGET', request, 'owner') ~= owner then return 0 end
redis.call('HSET', request, 'outcome', outcome)
return 1
