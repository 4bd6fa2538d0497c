-- Give back events that were reserved and then not taken; what the roll-up has settled meanwhile is its own.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 the hour of the reservation (UTC), 2 accepted, 3 held
-- result nothing
for name, amount in pairs({events = tonumber(ARGV[2]), held = tonumber(ARGV[3])}) do
    local recent = name .. ':' .. ARGV[1]
    if amount > 0 and tonumber(redis.call('HGET', KEYS[1], recent) or 0) >= amount then
        redis.call('HINCRBY', KEYS[1], name, -amount)
        redis.call('HINCRBY', KEYS[1], recent, -amount)
    end
end
return {}
