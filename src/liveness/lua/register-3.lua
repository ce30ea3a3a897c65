-- Registers an attempt of a request. The former owner keeps the request while its lease lives:
-- it then gets the new attempt by message, and by `whereabouts` if the message is lost.
--
-- KEYS[1] request (hash)  KEYS[2] leases (zset: owner -> expiry, ms)  KEYS[3] records of the caller (set)
-- ARGV[1] owner  ARGV[2] request id  ARGV[3] attempt number  ARGV[4] attempt scheduled at, ms
-- ARGV[5] token, base64  ARGV[6] method  ARGV[7] host  ARGV[8] path  ARGV[9] key prefix
-- ARGV[10] lease, ms  ARGV[11] longest life of the record, ms  ARGV[12] items, if it is a batch, else 0
-- ARGV[13] progress that the attempt began with, JSON
-- -> { 'stale' } | { 'attached' } | { 'kept', outcome }
--    | { 'run', who asked for its cancel or '', and from the second attempt on: bytes of each item's outcome, or 0 … }
local request, leases, records = KEYS[1], KEYS[2], KEYS[3]
local owner, id, number, scheduled, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local method, host, path, prefix, ttl, life = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local progress = ARGV[13]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', request, 'owner', 'state', 'number', 'scheduled', 'outcome', 'cancel')
local holder, state, outcome, cancel = held[1], held[2], held[5], held[6]
local heldNumber, heldScheduled = tonumber(held[3]), tonumber(held[4])

if heldNumber then
  local newer = tonumber(scheduled) - heldScheduled
  if newer == 0 then newer = tonumber(number) - heldNumber end
  if newer < 0 then return { 'stale' } end
end

if holder and holder ~= owner and state == 'running' then
  local expiry = redis.call('ZSCORE', leases, holder)
  if expiry and tonumber(expiry) > now then
    redis.call('HSET', request, 'number', number, 'scheduled', scheduled, 'token', token,
      'progress', progress)
    local message =
      cjson.encode({ 'attached', id, tonumber(number), tonumber(scheduled), token, progress })
    redis.call('PUBLISH', prefix .. 'owner:' .. holder, message)
    return { 'attached' }
  end
end

if holder and holder ~= owner then redis.call('SREM', prefix .. 'records:' .. holder, id) end
redis.call('HSET', request, 'owner', owner, 'state', 'running', 'number', number,
  'scheduled', scheduled, 'token', token, 'progress', progress, 'method', method, 'host', host,
  'path', path)
redis.call('HSETNX', request, 'start', now)
redis.call('PEXPIRE', request, life)
redis.call('SADD', records, id)
redis.call('PEXPIRE', records, life)
-- A record without a lease would be nobody's.
redis.call('ZADD', leases, 'NX', now + ttl, owner)
redis.call('PEXPIRE', leases, life)
if outcome then return { 'kept', outcome } end
local run = { 'run', cancel or '' }
-- Of a first attempt nothing can have ended.
if not heldNumber then return run end
-- What they are is read a part at a time: together they can be more than one answer may have.
for index = 0, tonumber(ARGV[12]) - 1 do
  run[#run + 1] = redis.call('HSTRLEN', request, 'outcome:' .. index)
end
return run
