-- Looks at some flow keys, and tells of as many as are wanted of each rank: paused, cooling, waited
-- for, others. What few processes wait for by a slow rate is not to be seen here.
--
-- KEYS[1] leases (zset: owner -> expiry, ms)  KEYS[2] overrides (hash: key -> JSON)
-- KEYS[3] keys (zset: key -> time last used)
-- ARGV[1] prefix  ARGV[2] JSON { names } or { from, count }, by use; text (lower case, of the key),
--   lowest (rank), wanted (rows by rank), life
-- -> { keys counted, of them with the text, row (JSON) … }; of names those count that are not in [3],
--    and those with something set are told of by name only
local leases, overrides, keys = unpack(KEYS)
local prefix, ask = ARGV[1], cjson.decode(ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local function inFlight(key)
  local sum, holders = 0, redis.call('HGETALL', prefix .. 'flow-held:' .. key)
  for i = 1, #holders, 2 do
    -- Without what dead processes held.
    if tonumber(redis.call('ZSCORE', leases, holders[i]) or 0) > now then sum = sum + holders[i + 1] end
  end
  return sum
end

local function left(at) return math.max(0, math.ceil((tonumber(at) or 0) - now)) end

local names = ask.names or redis.call('ZREVRANGE', keys, ask.from, ask.from + ask.count - 1)
if #names == 0 then return { 0, 0 } end
local set, waiting = redis.call('HMGET', overrides, unpack(names)), {}
for i, key in ipairs(names) do waiting[i] = prefix .. 'flow-waiting:' .. key end
local isAnyWaiting = redis.call('EXISTS', unpack(waiting)) > 0

local function rankOf(i, cool, last)
  if set[i] and cjson.decode(set[i]).paused then return 1 end
  if left(cool) > 0 then return 2 end
  if left(last) > 0 or (isAnyWaiting and redis.call('EXISTS', waiting[i]) == 1) then return 3 end
  return 4
end

local counted, matched, result = 0, 0, {}
for i, key in ipairs(names) do
  local name = prefix .. 'flow-state:' .. key
  local state = redis.call('HMGET', name, 'cool', 'last')
  local isListed = not ask.names or redis.call('ZSCORE', keys, key)
  local isKnown = isListed or set[i] or state[1]
  local fits = ask.text == '' or string.find(string.lower(key), ask.text, 1, true)
  if isKnown and not (ask.names and isListed) then
    counted = counted + 1
    if fits then matched = matched + 1 end
  end
  if isKnown and fits and (ask.names or not set[i]) then
    local rank = math.min(rankOf(i, state[1], state[2]), ask.lowest)
    if ask.wanted[rank] > 0 then
      for worse = rank, 4 do ask.wanted[worse] = ask.wanted[worse] - 1 end
      local more = redis.call('HMGET', name, 'tat', 'failures', 'limits', 'stated')
      local isStated = more[3] and now - tonumber(more[4] or now) < ask.life
      result[#result + 1] = cjson.encode({ key, rank, set[i] or '{}', isStated and more[3] or '{}',
        inFlight(key), left(more[1]), left(state[1]), tonumber(more[2]) or 0 })
    end
  end
end
return { counted, matched, unpack(result) }
