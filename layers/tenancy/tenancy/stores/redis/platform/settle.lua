-- Make the counters of a month what the rows say. Of hours that are not settled yet, reservations without a row may
-- still be on their way: of rows and reservations the larger number counts.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 the first hour that is not settled (UTC)   2 bytes stored   3 requests that the database knows of
--        4 events with rows, of the hours before it   5 the same of held events
--        from 6 on, three for each hour from then on: hour, events with rows, held events with rows
-- result {events counted before, events now}; {} where nothing is counted, which the next request seeds
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local before = redis.call('HMGET', KEYS[1], 'events', 'requests')
local total = {events = tonumber(ARGV[4]), held = tonumber(ARGV[5])}
local recent = {events = {}, held = {}}
for place = 6, #ARGV, 3 do
    recent.events[ARGV[place]] = tonumber(ARGV[place + 1])
    recent.held[ARGV[place]] = tonumber(ARGV[place + 2])
end
local fields = redis.call('HGETALL', KEYS[1])
for place = 1, #fields, 2 do
    local name, hour = string.match(fields[place], '^(%l+):(.+T.+)$')
    if hour and hour < ARGV[1] then
        redis.call('HDEL', KEYS[1], fields[place])
    elseif hour then
        recent[name][hour] = math.max(recent[name][hour] or 0, tonumber(fields[place + 1]))
    end
end
for name, hours in pairs(recent) do
    for hour, amount in pairs(hours) do
        total[name] = total[name] + amount
        if amount > 0 then redis.call('HSET', KEYS[1], name .. ':' .. hour, amount) end
    end
    redis.call('HSET', KEYS[1], name, total[name])
end
redis.call('HSET', KEYS[1], 'storage', ARGV[2], 'requests', math.max(tonumber(before[2] or 0), tonumber(ARGV[3])))
return {tonumber(before[1] or 0), total.events}
