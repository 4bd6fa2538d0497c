-- Set the counters of a month to the numbers of stored rows.
--
-- The rows of an hour that is not settled yet may still be on their way through the queue. For such an hour the larger
-- number counts: rows, or reservations. Requests have no rows: the counter counts unless the database has more.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 first hour that is not settled (UTC)   2 stored bytes
--        according to the database: 3 requests of both buckets, 4 those of management among them
--        5 events and 6 held events with rows, in the hours before the first that is not settled
--        from 7 on, three values for each hour from then on: hour, events with rows, held events with rows
-- result {events before, events now}; {} if the month has no counters, which the next request initializes
local usage_key, first_unsettled_hour = KEYS[1], ARGV[1]
local stored_bytes, requests, management = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local total = {events = tonumber(ARGV[5]), held = tonumber(ARGV[6])}
local FIRST_HOUR, VALUES_PER_HOUR = 7, 3

if redis.call('EXISTS', usage_key) == 0 then return {} end
local before = redis.call('HMGET', usage_key, 'events', 'requests', 'management')
local events_before, requests_before = tonumber(before[1] or 0), tonumber(before[2] or 0)
local management_before = tonumber(before[3] or 0)
local recent = {events = {}, held = {}}
for place = FIRST_HOUR, #ARGV, VALUES_PER_HOUR do
    local hour = ARGV[place]
    recent.events[hour] = tonumber(ARGV[place + 1])
    recent.held[hour] = tonumber(ARGV[place + 2])
end
local fields = redis.call('HGETALL', usage_key)
for place = 1, #fields, 2 do
    local field, reserved = fields[place], fields[place + 1]
    local name, hour = string.match(field, '^(%l+):(.+T.+)$')
    if hour and hour < first_unsettled_hour then
        redis.call('HDEL', usage_key, field)
    elseif hour then
        recent[name][hour] = math.max(recent[name][hour] or 0, tonumber(reserved))
    end
end
for name, hours in pairs(recent) do
    for hour, amount in pairs(hours) do
        total[name] = total[name] + amount
        if amount > 0 then redis.call('HSET', usage_key, name .. ':' .. hour, amount) end
    end
    redis.call('HSET', usage_key, name, total[name])
end
redis.call('HSET', usage_key, 'storage', stored_bytes, 'requests', math.max(requests_before, requests),
    'management', math.max(management_before, management))
return {events_before, total.events}
