-- Keeps the outcome of a request, or of an item of a batch, until Temporal has it.
--
-- KEYS[1] request (hash)  ARGV[1] owner  ARGV[2] 'outcome', or 'outcome:<index>'  ARGV[3] the outcome, sealed
-- -> 1, or 0 when another process runs the request
local request, owner, field, outcome = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('HMGET', request, 'owner', 'state')
-- An orphan's next attempt finds what its former owner has seen all the same.
if held[1] ~= owner and held[2] ~= 'orphaned' then return 0 end
redis.call('HSET', request, field, outcome)
return 1
