-- Ends the caller's lease. What it still holds can be claimed at once.
--
-- KEYS[1] leases (zset: owner -> expiry, ms)  KEYS[2] processes (hash: owner -> JSON)
-- KEYS[3] records of the caller (set)
-- ARGV[1] owner
-- -> number of records left behind
local leases, processes, records, owner = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local left = redis.call('SCARD', records)
if left == 0 then
  redis.call('ZREM', leases, owner)
  redis.call('HDEL', processes, owner)
else
  redis.call('ZADD', leases, 0, owner)
end
return left
