-- Initialize the counters of a month from the database, unless they exist.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 expiry (ms since 1970)   2 today (UTC)   requests of both buckets: 3 in the month, 4 today; those of
--        management among them: 5 in the month, 6 today   7 events   8 held events   9 stored bytes
-- result {}
local usage_key = KEYS[1]
local expires_at, today = ARGV[1], ARGV[2]
local requests, requests_today, management, management_today = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local events, held, stored_bytes = ARGV[7], ARGV[8], ARGV[9]

if redis.call('EXISTS', usage_key) == 0 then
    redis.call('HSET', usage_key, 'requests', requests, 'requests:' .. today, requests_today, 'management', management,
        'management:' .. today, management_today, 'events', events, 'held', held, 'storage', stored_bytes)
    redis.call('PEXPIREAT', usage_key, expires_at)
end
return {}
