-- Reserve room for held events before they are released. Reserved events count at once.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 current hour (UTC)   2 events   3 quota of the month, '' to reserve all events
-- result number of reserved events; all of them if the month has no counters
local usage_key, hour = KEYS[1], ARGV[1]
local events, quota = tonumber(ARGV[2]), ARGV[3]

if redis.call('EXISTS', usage_key) == 0 then return events end
if quota ~= '' then
    local used = tonumber(redis.call('HGET', usage_key, 'events') or 0)
    events = math.max(0, math.min(events, tonumber(quota) - used))
end
if events > 0 then
    redis.call('HINCRBY', usage_key, 'events', events)
    redis.call('HINCRBY', usage_key, 'events:' .. hour, events)
end
return events
