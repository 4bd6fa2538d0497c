-- How many requests of a day are counted.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 the day (UTC)
-- result their number, 0 where nothing is counted
return tonumber(redis.call('HGET', KEYS[1], 'requests:' .. ARGV[1]) or 0)
