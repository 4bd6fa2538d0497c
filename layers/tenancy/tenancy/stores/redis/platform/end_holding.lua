-- After a release: give back the claimed room that was not needed, and count what is held by the rows that are left.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 the hour of the claim (UTC)   2 claimed events that were not released   3 events of the month still held
-- result nothing
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local unused = tonumber(ARGV[2])
if unused > 0 and tonumber(redis.call('HGET', KEYS[1], 'events:' .. ARGV[1]) or 0) >= unused then
    redis.call('HINCRBY', KEYS[1], 'events', -unused)
    redis.call('HINCRBY', KEYS[1], 'events:' .. ARGV[1], -unused)
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.match(field, '^held:') then redis.call('HDEL', KEYS[1], field) end
end
redis.call('HSET', KEYS[1], 'held', ARGV[3])
return {}
