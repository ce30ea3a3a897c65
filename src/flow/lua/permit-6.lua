-- Grants requests of a key their time to go, to one process at a time, by the clock of Redis.
--
-- Rate: a bucket of `burst` units that leaks at the rate (GCRA), `tat` being the time at which it is
-- empty. A grant can lie ahead: it is a reservation, and nobody asks twice for it. What one has not
-- used comes back, but no more than leaves in the bucket all that was granted after it: had it been
-- empty before, that would be in it still. Permits: what each process holds counts while its lease
-- lives. Who gets none waits in line; the head is woken by message when one is free, keeps its turn
-- for a second, and nobody else is woken for that permit.
--
-- Limits: as last stated by any process; who states none has these, for `life` after that.
--
-- KEYS[1] state (hash: tat, interval, taken (units ever), last (slot), cool, failures, limits,
--   stated (at, ms))
-- KEYS[2] held (hash: owner -> permits)
-- KEYS[3] waiting (zset: owner -> time; negative: woken then)  KEYS[4] leases (zset: owner -> expiry, ms)
-- KEYS[5] overrides (hash: key -> JSON)  KEYS[6] keys (zset: key -> time last used)
-- ARGV[1] owner  ARGV[2] key  ARGV[3] prefix of channels  ARGV[4] lease, ms
-- ARGV[5] JSON { limits, stated, held, costs, spent, unused, cool, failures, succeeded, horizon, reserve,
--   ramp, life, slack }
-- -> { obstacle, ms after which to ask again, now, units taken before, limits (JSON), the time at which
--      each granted request may go … }, times in microseconds
local state, held, waiting, leases, overrides, keys = unpack(KEYS)
local owner, key, prefix, ttl = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local ask = cjson.decode(ARGV[5])
local TURN, LONGEST = 1000, 60000

local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local known = redis.call('HMGET', state, 'tat', 'cool', 'failures', 'interval', 'taken', 'last',
  'limits', 'stated')
local limits, statedAt = ask.limits, now
if not ask.stated and known[7] then
  statedAt = tonumber(known[8])
  limits = now - statedAt < ask.life and cjson.decode(known[7]) or {}
end
-- Without what operators have set themselves.
local stated = cjson.encode(limits)
local override = redis.call('HGET', overrides, key)
if override then
  for name, value in pairs(cjson.decode(override)) do limits[name] = value end
end
local interval
if limits.rate then
  interval = (limits.period + math.min(ask.slack.most, ask.slack.share * limits.period)) / limits.rate
end
local burst = limits.burst or 1
local breaker = limits.breaker

local tat, cool, failures = tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or 0)
local counted = tonumber(known[4] or '')
local taken, last = tonumber(known[5] or 0), tonumber(known[6] or 0)
local takenBefore = taken
if interval then
  -- What is in the bucket flows off at the new rate.
  if counted and tat > now then tat = now + (tat - now) * interval / counted end
  counted = interval
end
local coolBefore = cool
if ask.succeeded then
  -- A probe came through: back to the limits, slowly.
  if breaker and failures >= breaker.failures then cool = now end
  failures = 0
end
failures = failures + ask.failures
if ask.cool > 0 then cool = math.max(cool, now + ask.cool) end
if breaker and ask.failures > 0 and failures >= breaker.failures then
  cool = math.max(cool, now + breaker.openFor)
end
if interval then
  if ask.spent > 0 then tat = math.max(tat, now) end
  tat = tat + ask.spent * interval
  local since = math.max(now, last)
  for _, unused in ipairs(ask.unused) do
    local least = math.max(tat - unused.units * interval, since + (taken - unused.mark) * interval)
    tat = math.min(tat, least)
  end
end

-- Permits in use, and the limit now.
redis.call('ZADD', leases, 'NX', math.floor(now + ttl), owner)
local function lease(who) return tonumber(redis.call('ZSCORE', leases, who) or 0) end
local inUse, retryIn = ask.held, LONGEST
local holders = redis.call('HGETALL', held)
for i = 1, #holders, 2 do
  local who = holders[i]
  if who ~= owner then
    local expiry = lease(who)
    if expiry > now then
      inUse = inUse + holders[i + 1]
      retryIn = math.min(retryIn, expiry - now + 50)
    else
      redis.call('HDEL', held, who)
    end
  end
end
local since = now - cool
local limit = limits.concurrency or math.huge
if breaker and failures >= breaker.failures then
  limit = 1
elseif since >= 0 and since < ask.ramp then
  local share = math.max(since / ask.ramp, 0.1)
  burst = math.max(1, burst * share)
  if interval then interval = interval / share end
  if limits.concurrency or not interval then
    limit = math.min(limit, 2 ^ math.floor(since / 1000))
    retryIn = math.min(retryIn, 1000 - since % 1000)
  end
end

-- The line: the dead and those that let their turn pass are out of it.
local line, ahead = {}, nil
local entries = redis.call('ZRANGE', waiting, 0, -1, 'WITHSCORES')
for i = 1, #entries, 2 do
  local who, score = entries[i], tonumber(entries[i + 1])
  if who == owner then
    ahead = #line
  elseif lease(who) <= now or (score < 0 and now + score > TURN) then
    redis.call('ZREM', waiting, who)
  else
    line[#line + 1] = { who, score }
  end
end

-- An equal share of the horizon: one process with many waiting must not keep it all.
local fleet = redis.call('ZCOUNT', leases, now, '+inf')
local span, first = ask.horizon / math.max(1, fleet), nil
local slots, obstacle = {}, 'none'
local want = #ask.costs
if lease(owner) <= now then
  -- Taken for dead; what it gets would count for nobody until it has renewed its lease.
  obstacle, retryIn = 'concurrency', 200
elseif limits.paused then
  obstacle, retryIn = 'paused', LONGEST
elseif since < 0 then
  obstacle, retryIn = 'cool', -since
else
  local most = want
  if limit < math.huge then
    local free = limit - inUse
    if #line > 0 then
      free = math.min(free - (ahead or #line), math.ceil(free / (#line + 1)))
    end
    most = math.min(want, math.max(0, free))
    if most < want then obstacle = 'concurrency' end
  end
  for i = 1, most do
    local at, cost = now, ask.costs[i]
    if interval then
      at = math.max(now, last, tat - math.max(0, burst - cost) * interval)
      local ahead = at - now
      first = first or at
      if ahead > ask.reserve or (at - first > span and i > 1) then
        obstacle, retryIn = 'rate', math.max(1, ahead - ask.horizon / 2)
        break
      end
      last = at
      tat = math.max(at, tat) + cost * interval
    end
    taken = taken + cost
    slots[i] = math.ceil(at * 1000)
  end
end

-- What is left for others.
local mine = ask.held + #slots
if mine > 0 then redis.call('HSET', held, owner, mine) else redis.call('HDEL', held, owner) end
if obstacle == 'concurrency' and #slots == 0 then
  -- Woken for a permit that is gone again: first in line, and to be woken anew.
  if ahead and tonumber(redis.call('ZSCORE', waiting, owner)) < 0 then
    redis.call('ZADD', waiting, 0, owner)
  else
    redis.call('ZADD', waiting, 'NX', now, owner)
  end
elseif obstacle == 'concurrency' then
  redis.call('ZADD', waiting, now, owner)
else
  redis.call('ZREM', waiting, owner)
end
local free = limit - inUse - #slots
if since >= 0 and not limits.paused then
  for _, entry in ipairs(line) do
    if free <= 0 then break end
    if entry[2] >= 0 then
      redis.call('ZADD', waiting, -now, entry[1])
      redis.call('PUBLISH', prefix .. 'flow:' .. entry[1], key)
    end
    free = free - 1
  end
end
if cool > coolBefore and cool > now then
  redis.call('PUBLISH', prefix .. 'flow', cjson.encode({ 'cooled', key }))
end

local life = math.ceil(math.min(math.max(tat - now, cool - now, 0), 2 ^ 31)) + ask.life
redis.call('HSET', state, 'tat', string.format('%.3f', tat), 'cool', string.format('%.3f', cool),
  'last', string.format('%.3f', last), 'taken', string.format('%.17g', taken),
  'failures', failures, 'limits', stated, 'stated', string.format('%.3f', statedAt))
if counted then redis.call('HSET', state, 'interval', string.format('%.17g', counted)) end
redis.call('PEXPIRE', state, life)
redis.call('PEXPIRE', held, ask.life)
redis.call('PEXPIRE', waiting, ask.life)
redis.call('ZADD', keys, math.floor(now), key)
redis.call('ZREMRANGEBYSCORE', keys, '-inf', now - ask.life)
return { obstacle, math.ceil(retryIn), math.floor(now * 1000),
  string.format('%.17g', takenBefore), stated, unpack(slots) }
