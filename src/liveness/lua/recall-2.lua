-- Makes an orphan of a request that Redis has under the caller and the caller does not know: the
-- answer to its register or claim was lost, or it ended while Redis was away.
--
-- KEYS[1] request (hash)  KEYS[2] records of the caller (set)
-- ARGV[1] owner  ARGV[2] request id
-- -> { id, number, scheduled, token, outcome or '' }, or nil when it is not the caller's
local request, records, owner, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local held = redis.call('HMGET', request, 'owner', 'number', 'scheduled', 'token', 'outcome')
if held[1] ~= owner then
  redis.call('SREM', records, id)
  return nil
end
redis.call('HSET', request, 'state', 'orphaned')
return { id, held[2], held[3], held[4], held[5] or '' }
