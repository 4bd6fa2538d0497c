-- Initialize the counters of a month from the database, unless they exist.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 expiry (ms since 1970)   2 today (UTC)   3 requests   4 requests of today   5 events   6 held events
--        7 stored bytes
-- result {}
local usage_key = KEYS[1]
local expires_at, today = ARGV[1], ARGV[2]
local requests, requests_today, events, held, stored_bytes = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]

if redis.call('EXISTS', usage_key) == 0 then
    redis.call('HSET', usage_key, 'requests', requests, 'requests:' .. today, requests_today, 'events', events,
        'held', held, 'storage', stored_bytes)
    redis.call('PEXPIREAT', usage_key, expires_at)
end
return {}
