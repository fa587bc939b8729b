-- No call for a while; never shortens a block that stands.
-- KEYS[1] exists while the upstream wants no call
-- ARGV    milliseconds (at least 1)
if tonumber(ARGV[1]) > redis.call('PTTL', KEYS[1]) then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
return 1
