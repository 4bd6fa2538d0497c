-- Begin to count a month from what the database knows, unless it is counted already.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 when it is forgotten (ms since 1970)   2 today (UTC)   3 requests, 4 requests today, 5 events, 6 held, 7 bytes
-- result nothing
if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], 'requests', ARGV[3], 'requests:' .. ARGV[2], ARGV[4], 'events', ARGV[5], 'held', ARGV[6],
        'storage', ARGV[7])
    redis.call('PEXPIREAT', KEYS[1], ARGV[1])
end
return {}
