-- Finish a release: give back the reserved room that was not needed, and store the number of events still held.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 hour of the reservation (UTC)   2 reserved events that were not released   3 events of the month still held
-- result {}
local usage_key, hour = KEYS[1], ARGV[1]
local unused, still_held = tonumber(ARGV[2]), ARGV[3]

if redis.call('EXISTS', usage_key) == 0 then return {} end
local hour_field = 'events:' .. hour
if unused > 0 and tonumber(redis.call('HGET', usage_key, hour_field) or 0) >= unused then
    redis.call('HINCRBY', usage_key, 'events', -unused)
    redis.call('HINCRBY', usage_key, hour_field, -unused)
end
for _, field in ipairs(redis.call('HKEYS', usage_key)) do
    if string.match(field, '^held:') then redis.call('HDEL', usage_key, field) end
end
redis.call('HSET', usage_key, 'held', still_held)
return {}
