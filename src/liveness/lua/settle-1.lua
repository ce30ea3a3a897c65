-- Keeps the outcome of a request, or outcomes of a batch's items, until Temporal has them.
--
-- KEYS[1] request (hash)  ARGV[1] owner  ARGV[2..] 'outcome', or 'outcome:<index>', and the outcome, sealed
-- -> 1, or 0 when another process runs the request
local request, owner = KEYS[1], ARGV[1]
local held = redis.call('HMGET', request, 'owner', 'state')
-- An orphan's next attempt finds what its former owner has seen all the same.
if held[1] ~= owner and held[2] ~= 'orphaned' then return 0 end
redis.call('HSET', request, unpack(ARGV, 2))
return 1
