-- Take one slot of a sliding window, or say how long to wait. Times are microseconds of Redis' clock.
-- KEYS[1] sorted set: permit id -> the latest moment at which the upstream may have counted the call
-- KEYS[2] exists while the upstream wants no call at all
-- ARGV    permit id, limit, period, longest call, the caller's own remaining block in ms,
--         then pairs of permit id and age: the caller's recent calls, which Redis may have forgotten
-- Returns {granted 0 or 1, wait, remaining block in ms}
local id, limit, period, longest_call = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local own_block = tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function whole(number) return string.format('%.0f', number) end

for i = 6, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], 'NX', whole(now - tonumber(ARGV[i + 1])), ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - period))
redis.call('PEXPIRE', KEYS[1], math.ceil((period + longest_call) / 1000) + 1000)

-- The caller's block came from here, late by a round trip: taken back every time, it would never end.
-- Only one that is a second longer is news. The caller itself keeps to what it knows.
if own_block > math.max(0, redis.call('PTTL', KEYS[2])) + 1000 then
  redis.call('SET', KEYS[2], '1', 'PX', own_block)
end
local blocked = math.max(own_block, redis.call('PTTL', KEYS[2]))

if redis.call('ZSCORE', KEYS[1], id) then
  return {1, 0, blocked} -- the same request again, after its answer was lost
end

local used = redis.call('ZCARD', KEYS[1])
local wait = blocked * 1000
if used >= limit then
  local next_free = redis.call('ZRANGE', KEYS[1], used - limit, used - limit, 'WITHSCORES')
  -- A call in flight stands in the future; it may end now, so a period from now is when to ask again.
  wait = math.max(wait, math.min(tonumber(next_free[2]), now) + period - now)
end
if wait > 0 then
  return {0, wait, blocked}
end

redis.call('ZADD', KEYS[1], whole(now + longest_call), id)
redis.call('PEXPIRE', KEYS[1], math.ceil((period + longest_call) / 1000) + 1000)
return {1, 0, 0}
