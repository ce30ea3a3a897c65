-- Takes a batch of requests from one owner whose lease has expired. They stay under the caller's
-- own lease, as orphans, until it has failed their attempts: if it dies too, the next one finds them.
--
-- KEYS[1] leases (zset: owner -> expiry, ms)  KEYS[2] processes (hash: owner -> JSON)
-- KEYS[3] records of the caller (set)
-- ARGV[1] owner  ARGV[2] most requests  ARGV[3] key prefix  ARGV[4] longest life of a record, ms
-- -> { ms until the next other lease expires, or -1; { id, number, scheduled, token, outcome or '' } … }
local leases, processes, records = KEYS[1], KEYS[2], KEYS[3]
local owner, most, prefix, life = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local result = { -1 }
-- Who cannot renew, as with a Redis that is full, cannot say that others are dead.
local mine = redis.call('ZSCORE', leases, owner)
if not mine or tonumber(mine) <= now then return result end
-- A Redis that refuses to write refuses this. What follows it would take, for it begins with a removal:
-- whose lease ends last would take the others, who could not renew either, for dead.
redis.call('ZADD', leases, 'XX', mine, owner)
for _, dead in ipairs(redis.call('ZRANGE', leases, '-inf', now, 'BYSCORE')) do
  if dead ~= owner then
    local theirs = prefix .. 'records:' .. dead
    local ids = redis.call('SPOP', theirs, most - (#result - 1))
    for _, id in ipairs(ids) do
      local request = prefix .. 'request:' .. id
      local held = redis.call('HMGET', request, 'owner', 'number', 'scheduled', 'token', 'outcome')
      if held[1] == dead then
        redis.call('HSET', request, 'owner', owner, 'state', 'orphaned')
        redis.call('SADD', records, id)
        redis.call('PEXPIRE', records, life)
        result[#result + 1] = { id, held[2], held[3], held[4], held[5] or '' }
      end
    end
    if redis.call('SCARD', theirs) == 0 then
      redis.call('ZREM', leases, dead)
      redis.call('HDEL', processes, dead)
    end
    if #result > most then break end
  end
end

local first = redis.call('ZRANGE', leases, 0, 1, 'WITHSCORES')
for i = 1, #first, 2 do
  if first[i] ~= owner then
    result[1] = math.max(0, tonumber(first[i + 1]) - now)
    break
  end
end
return result
