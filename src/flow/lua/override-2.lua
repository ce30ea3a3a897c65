-- Changes what is set for a key at run time, and tells every process.
--
-- KEYS[1] overrides (hash: key -> JSON)  KEYS[2] keys (zset: key -> time last used)
-- ARGV[1] key  ARGV[2] JSON of what changes, or '' to take all back  ARGV[3] prefix of channels
-- -> what is set now, JSON, or ''
local overrides, keys, key, change, prefix = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local set = {}
if change ~= '' then
  set = cjson.decode(redis.call('HGET', overrides, key) or '{}')
  for name, value in pairs(cjson.decode(change)) do set[name] = value end
  if set.paused == false then set.paused = nil end
end
local json = next(set) and cjson.encode(set) or ''
if json == '' then
  redis.call('HDEL', overrides, key)
else
  redis.call('HSET', overrides, key, json)
end
redis.call('ZADD', keys, redis.call('TIME')[1] * 1000, key)
redis.call('PUBLISH', prefix .. 'flow', cjson.encode({ 'changed', key, json }))
return json
