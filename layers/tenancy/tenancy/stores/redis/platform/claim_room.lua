-- Claim room for events that are to be released, as far as there is any: they count from now on, and are held no more.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 this hour (UTC)   2 events   3 the month's quota, '' to claim whether there is room or not
-- result how many there is room for; all where nothing is counted
local events = tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 0 then return events end
if ARGV[3] ~= '' then
    local counted = tonumber(redis.call('HGET', KEYS[1], 'events') or 0)
    events = math.max(0, math.min(events, tonumber(ARGV[3]) - counted))
end
if events > 0 then
    redis.call('HINCRBY', KEYS[1], 'events', events)
    redis.call('HINCRBY', KEYS[1], 'events:' .. ARGV[1], events)
end
return events
