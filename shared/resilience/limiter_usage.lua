-- How full the window is; changes nothing.
-- KEYS[1], KEYS[2] as in limiter_acquire.lua
-- ARGV    period in microseconds
-- Returns {slots taken, remaining block in ms}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local used = redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now - tonumber(ARGV[1])), '+inf')
return {used, math.max(0, redis.call('PTTL', KEYS[2]))}
