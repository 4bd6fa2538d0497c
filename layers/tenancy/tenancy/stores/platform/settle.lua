-- Make the counters of a month what the rows say. Of hours that are not settled yet, reservations without a row may
-- still be on their way: of rows and reservations the larger number counts.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 the first hour that is not settled (UTC)   2 events with rows, of hours before it   3 held events with rows
--        4 bytes stored   5 requests that the database knows of   from 6 on: hour, events with rows
-- result {events counted before, events now}; {} where nothing is counted, which the next request seeds
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local before = redis.call('HMGET', KEYS[1], 'events', 'requests')
local hours, total = {}, tonumber(ARGV[2])
for place = 6, #ARGV, 2 do hours[ARGV[place]] = tonumber(ARGV[place + 1]) end
local fields = redis.call('HGETALL', KEYS[1])
for place = 1, #fields, 2 do
    local hour = string.match(fields[place], '^events:(.+)$')
    if hour and hour < ARGV[1] then
        redis.call('HDEL', KEYS[1], fields[place])
    elseif hour then
        hours[hour] = math.max(hours[hour] or 0, tonumber(fields[place + 1]))
    end
end
for hour, events in pairs(hours) do
    total = total + events
    redis.call('HSET', KEYS[1], 'events:' .. hour, events)
end
redis.call('HSET', KEYS[1], 'events', total, 'held', ARGV[3], 'storage', ARGV[4],
    'requests', math.max(tonumber(before[2] or 0), tonumber(ARGV[5])))
return {tonumber(before[1] or 0), total}
