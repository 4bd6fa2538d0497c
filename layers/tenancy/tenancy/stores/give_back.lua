-- Give back events that were reserved and then not taken; what the roll-up has settled meanwhile is its own.
--
-- KEYS   1 the organization's usage of the month
-- ARGV   1 the hour of the reservation (UTC), 2 accepted, 3 held
-- result nothing
local recent, accepted, held = 'events:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if accepted > 0 and tonumber(redis.call('HGET', KEYS[1], recent) or 0) >= accepted then
    redis.call('HINCRBY', KEYS[1], 'events', -accepted)
    redis.call('HINCRBY', KEYS[1], recent, -accepted)
end
if held > 0 and tonumber(redis.call('HGET', KEYS[1], 'held') or 0) >= held then
    redis.call('HINCRBY', KEYS[1], 'held', -held)
end
return {}
