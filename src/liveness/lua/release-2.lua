-- Forgets a request that has ended here. A newer attempt that attached meanwhile must be ended too.
--
-- KEYS[1] request (hash)  KEYS[2] records of the caller (set)
-- ARGV[1] owner  ARGV[2] request id  ARGV[3] attempt number  ARGV[4] attempt scheduled at, ms
-- -> 1, or 0 when a newer attempt is attached to the caller
local request, records = KEYS[1], KEYS[2]
local owner, id, number, scheduled = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local held = redis.call('HMGET', request, 'owner', 'number', 'scheduled')
if held[1] == owner then
  local newer = tonumber(held[3]) - tonumber(scheduled)
  if newer == 0 then newer = tonumber(held[2]) - tonumber(number) end
  if newer > 0 then return 0 end
  redis.call('DEL', request)
end
redis.call('SREM', records, id)
return 1
