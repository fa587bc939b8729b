-- The circuit breaker's state machine (the rules of breaker_state.py) in one atomic step.
-- Times are microseconds of Redis' clock.
-- KEYS[1] hash: failures, opened_at, since, probe, probe_until; absent means closed without failures
-- ARGV    operation (allow, success, failure, release, state), the caller's token, threshold,
--         recovery, probe lease, lifetime of the hash in ms
-- Returns {failures, open for or -1, probe's token or empty, probe's remaining lease, open since its first
--         opening or -1}; the call may go when the breaker is not open (-1) or the probe's token is its own
local operation, token, threshold = ARGV[1], ARGV[2], tonumber(ARGV[3])
local recovery, lease = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local stored = redis.call('HMGET', KEYS[1], 'failures', 'opened_at', 'probe', 'probe_until', 'since')
local failures = tonumber(stored[1] or 0)
local opened_at = stored[2] and tonumber(stored[2])
local probe = stored[3] or ''
local probe_until = tonumber(stored[4] or 0)
local since = stored[5] and tonumber(stored[5]) or opened_at -- older versions wrote none
local is_probe = token ~= '' and token == probe
local changed = false

if operation == 'allow' and opened_at and not is_probe then
  if now >= opened_at + recovery and (probe == '' or now >= probe_until) then
    probe, probe_until, changed = token, now + lease, true
  end
elseif operation == 'success' and (is_probe or not opened_at) then
  changed = failures > 0
  failures, opened_at, since, probe = 0, nil, nil, ''
elseif operation == 'failure' and (is_probe or not opened_at) then
  failures, changed = failures + 1, true
  if is_probe or failures >= threshold then
    opened_at, since, probe = now, since or now, ''
  end
elseif operation == 'release' and is_probe then
  probe, changed = '', true
end

if changed then
  redis.call('DEL', KEYS[1])
  if failures > 0 then
    redis.call('HSET', KEYS[1], 'failures', failures)
    if opened_at then
      redis.call('HSET', KEYS[1], 'opened_at', string.format('%.0f', opened_at),
        'since', string.format('%.0f', since))
    end
    if probe ~= '' then
      redis.call('HSET', KEYS[1], 'probe', probe, 'probe_until', string.format('%.0f', probe_until))
    end
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
  end
end

local open_for, open_since = -1, -1
if opened_at then
  open_for, open_since = math.max(0, now - opened_at), math.max(0, now - since)
end
local probe_left = 0
if probe ~= '' then
  probe_left = math.max(0, probe_until - now)
end
return {failures, open_for, probe, probe_left, open_since}
