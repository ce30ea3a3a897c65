-- Replays a record after Redis lost it or the caller lost its lease, unless another process runs the
-- same attempt or a newer one. The owner of an older one is told that it has lost the request. An
-- orphan is taken back: its attempt is failed or about to be, and the next one finds its owner alive,
-- so that nothing is sent again.
--
-- KEYS[1] request (hash)  KEYS[2] leases (zset: owner -> expiry, ms)  KEYS[3] records of the caller (set)
-- ARGV[1] owner  ARGV[2] request id  ARGV[3] attempt number  ARGV[4] attempt scheduled at, ms
-- ARGV[5] token, base64  ARGV[6] method  ARGV[7] host  ARGV[8] path  ARGV[9] key prefix
-- ARGV[10] lease, ms  ARGV[11] longest life of the record, ms  ARGV[12] (unused: as register-3.lua)
-- ARGV[13] progress that the attempt began with, JSON
-- -> 1, or 0 when the request is another's
local request, leases, records = KEYS[1], KEYS[2], KEYS[3]
local owner, id, number, scheduled, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local method, host, path, prefix, ttl, life = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local progress = ARGV[13]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', request, 'owner', 'state', 'number', 'scheduled')
local holder, state, heldNumber, heldScheduled = held[1], held[2], held[3], held[4]

if holder == owner then
  redis.call('SADD', records, id)
  return 1
end
local newer = 1
if heldNumber then
  newer = tonumber(scheduled) - tonumber(heldScheduled)
  if newer == 0 then newer = tonumber(number) - tonumber(heldNumber) end
end
if holder then
  local expiry = redis.call('ZSCORE', leases, holder)
  local alive = state == 'running' and expiry and tonumber(expiry) > now
  if alive and newer <= 0 then return 0 end
  redis.call('SREM', prefix .. 'records:' .. holder, id)
  if alive then redis.call('PUBLISH', prefix .. 'owner:' .. holder, cjson.encode({ 'lost', id })) end
end
if newer >= 0 then
  redis.call('HSET', request, 'number', number, 'scheduled', scheduled, 'token', token,
    'progress', progress)
end
redis.call('HSET', request, 'owner', owner, 'state', 'running', 'method', method, 'host', host,
  'path', path)
redis.call('HSETNX', request, 'start', now)
redis.call('PEXPIRE', request, life)
redis.call('SADD', records, id)
redis.call('PEXPIRE', records, life)
redis.call('ZADD', leases, 'NX', now + ttl, owner)
redis.call('PEXPIRE', leases, life)
return 1
