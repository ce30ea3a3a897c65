-- Forgets a request that has ended here. A newer attempt that attached meanwhile must be ended too.
--
-- KEYS[1] request (hash)  KEYS[2] records of the caller (set)
-- ARGV[1] owner  ARGV[2] request id  ARGV[3] attempt number  ARGV[4] attempt scheduled at, ms
-- ARGV[5] life of an operator's cancel that nobody reads, ms
-- ARGV[6] life of what is known of the request, for its next attempt, ms; 0: all of it is forgotten
-- -> 1, or 0 when a newer attempt is attached to the caller
local request, records = KEYS[1], KEYS[2]
local owner, id, number, scheduled, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[6])

local held = redis.call('HMGET', request, 'owner', 'number', 'scheduled', 'cancel')
if held[1] == owner then
  local newer = tonumber(held[3]) - tonumber(scheduled)
  if newer == 0 then newer = tonumber(held[2]) - tonumber(number) end
  if newer > 0 then return 0 end
  if life > 0 then
    redis.call('HDEL', request, 'owner')
    redis.call('HSET', request, 'state', 'orphaned')
    redis.call('PEXPIRE', request, life)
  else
    redis.call('DEL', request)
  end
  -- It may be handed back just now: Temporal reminds the next attempt of a workflow's cancel only.
  if held[4] == 'operator' and life == 0 then
    redis.call('HSET', request, 'cancel', held[4])
    redis.call('PEXPIRE', request, ARGV[5])
  end
end
redis.call('SREM', records, id)
return 1
