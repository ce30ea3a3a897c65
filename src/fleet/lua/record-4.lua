-- Adds what a process has counted, once: a call whose answer was lost is repeated with its number.
--
-- KEYS[1] hours (hash: start, ms -> JSON of counts)  KEYS[2] minutes (likewise)
-- KEYS[3] failures (list of JSON, newest first)  KEYS[4] number of the last delta of the caller
-- ARGV[1] number of this one  ARGV[2] JSON { start: counts }: hours  ARGV[3] likewise: minutes
-- ARGV[4] life of an hour, ms  ARGV[5] life of a minute, ms  ARGV[6] life of the number, ms
-- ARGV[7] most failures  ARGV[8…] JSON of failures, oldest first
-- -> 1, or 0 when it was added before
local hours, minutes, failures, last = unpack(KEYS)
local number, hoursLife, minutesLife = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])

if tonumber(redis.call('GET', last) or 0) >= number then return 0 end
redis.call('SET', last, number, 'PX', ARGV[6])

local function add(counts, more)
  for name, value in pairs(more) do
    if type(value) == 'table' then
      counts[name] = counts[name] or {}
      add(counts[name], value)
    else
      counts[name] = (counts[name] or 0) + value
    end
  end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function addAll(buckets, more, life)
  for start, counts in pairs(cjson.decode(more)) do
    local known = redis.call('HGET', buckets, start)
    local sum = known and cjson.decode(known) or {}
    add(sum, counts)
    redis.call('HSET', buckets, start, cjson.encode(sum))
    if not known then
      for _, each in ipairs(redis.call('HKEYS', buckets)) do
        if tonumber(each) <= now - life then redis.call('HDEL', buckets, each) end
      end
    end
  end
  redis.call('PEXPIRE', buckets, life)
end
addAll(hours, ARGV[2], hoursLife)
addAll(minutes, ARGV[3], minutesLife)

for i = 8, #ARGV do redis.call('LPUSH', failures, ARGV[i]) end
redis.call('LTRIM', failures, 0, ARGV[7] - 1)
redis.call('PEXPIRE', failures, hoursLife)
return 1
