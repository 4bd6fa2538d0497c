-- Return the last uses of keys that are not persisted yet.
--
-- KEYS   1 last uses of the organization's keys
-- ARGV   1 largest number of keys
-- result {id of a key, hour of its last use (UTC), …}
local last_use_key, maximum = KEYS[1], tonumber(ARGV[1])

return {unpack(redis.call('HGETALL', last_use_key), 1, math.min(2 * redis.call('HLEN', last_use_key), 2 * maximum))}
