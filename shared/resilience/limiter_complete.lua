-- The call has been answered: its slot is free one period from now. Times are microseconds of Redis' clock.
-- KEYS[1] sorted set of limiter_acquire.lua
-- ARGV    permit id, period, longest call
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil((tonumber(ARGV[2]) + tonumber(ARGV[3])) / 1000) + 1000)
return 1
