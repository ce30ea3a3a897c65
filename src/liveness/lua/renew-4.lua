-- Renews the caller's lease: O(1), however many requests it holds.
--
-- KEYS[1] leases (zset: owner -> expiry, ms)  KEYS[2] processes (hash: owner -> JSON)
-- KEYS[3] records of the caller (set)  KEYS[4] cancels for the caller (hash: id -> who asks)
-- ARGV[1] owner  ARGV[2] lease, ms  ARGV[3] what the process says of itself, JSON
-- ARGV[4] longest life of a record, ms
-- -> { 1 if the lease stood, else 0; number of records; ms until the next other lease expires, or -1;
--      living processes; { id, who asks … } }
local leases, processes, records, cancels = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local owner, ttl, info, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stood = redis.call('ZSCORE', leases, owner) and 1 or 0
redis.call('ZADD', leases, now + ttl, owner)
redis.call('HSET', processes, owner, info)
redis.call('PEXPIRE', records, life)
redis.call('PEXPIRE', processes, life)
redis.call('PEXPIRE', leases, life)

local nextExpiry = -1
local first = redis.call('ZRANGE', leases, 0, 1, 'WITHSCORES')
for i = 1, #first, 2 do
  if first[i] ~= owner then
    nextExpiry = math.max(0, tonumber(first[i + 1]) - now)
    break
  end
end
local living = redis.call('ZCOUNT', leases, now, '+inf')
return { stood, redis.call('SCARD', records), nextExpiry, living, redis.call('HGETALL', cancels) }
