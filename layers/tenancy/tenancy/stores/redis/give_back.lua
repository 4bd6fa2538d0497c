-- Give back events that were reserved and not enqueued. Hours that the roll-up has settled since stay unchanged.
--
-- KEYS   1 usage of the organization in the month
-- ARGV   1 hour of the reservation (UTC)   2 accepted events   3 held events
-- result {}
local usage_key, hour = KEYS[1], ARGV[1]
local accepted, held = tonumber(ARGV[2]), tonumber(ARGV[3])

for name, amount in pairs({events = accepted, held = held}) do
    local hour_field = name .. ':' .. hour
    if amount > 0 and tonumber(redis.call('HGET', usage_key, hour_field) or 0) >= amount then
        redis.call('HINCRBY', usage_key, name, -amount)
        redis.call('HINCRBY', usage_key, hour_field, -amount)
    end
end
return {}
