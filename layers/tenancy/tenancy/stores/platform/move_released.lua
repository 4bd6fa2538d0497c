-- Count released events among the events of this hour, and no longer among the held ones.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 this hour (UTC), 2 events
-- result nothing
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HINCRBY', KEYS[1], 'events', ARGV[2])
    redis.call('HINCRBY', KEYS[1], 'events:' .. ARGV[1], ARGV[2])
    redis.call('HSET', KEYS[1], 'held', math.max(0, tonumber(redis.call('HGET', KEYS[1], 'held') or 0) - tonumber(ARGV[2])))
end
return {}
