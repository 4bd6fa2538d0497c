-- Return the number of requests of a day.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 day (UTC)
-- result number of requests; 0 if the month has no counters
local usage_key, day = KEYS[1], ARGV[1]

return tonumber(redis.call('HGET', usage_key, 'requests:' .. day) or 0)
