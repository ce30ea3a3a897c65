-- Ends the caller's part in an orphan whose attempt has been failed. The next attempt's register
-- finds what is known of the request, or age removes it.
--
-- KEYS[1] request (hash)  KEYS[2] records of the caller (set)
-- ARGV[1] owner  ARGV[2] request id  ARGV[3] life of the rest, ms
-- -> 1, or 0 when another attempt has it already
local request, records, owner, id, ttl = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('HMGET', request, 'owner', 'state')
if held[1] ~= owner or held[2] ~= 'orphaned' then
  if held[1] ~= owner then redis.call('SREM', records, id) end
  return 0
end
redis.call('SREM', records, id)
redis.call('HDEL', request, 'owner')
redis.call('PEXPIRE', request, ttl)
return 1
