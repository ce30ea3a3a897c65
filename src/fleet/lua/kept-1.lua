-- Of some requests those with an outcome that no living process is delivering.
--
-- KEYS[1] leases (zset: owner -> expiry, ms)
-- ARGV[1] prefix of requests  ARGV[2…] keys of requests (hash)
-- -> { { id, method, host, path } … }
local leases, prefix = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function isAlive(owner)
  local expiry = redis.call('ZSCORE', leases, owner)
  return expiry and tonumber(expiry) > now
end

local kept = {}
for i = 2, #ARGV do
  local request = ARGV[i]
  if redis.call('HEXISTS', request, 'outcome') == 1 then
    local held = redis.call('HMGET', request, 'owner', 'state', 'method', 'host', 'path')
    -- An orphan is in the hands of a process that does not run it.
    if not held[1] or held[2] == 'orphaned' or not isAlive(held[1]) then
      kept[#kept + 1] = { request:sub(#prefix + 1), held[3] or '', held[4] or '', held[5] or '' }
    end
  end
end
return kept
