-- Return the numbers of requests of a day.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 day (UTC)
-- result {requests of both buckets, those of management among them}; zeros if the month has no counters
local usage_key, day = KEYS[1], ARGV[1]

local counts = redis.call('HMGET', usage_key, 'requests:' .. day, 'management:' .. day)
return {tonumber(counts[1] or 0), tonumber(counts[2] or 0)}
