-- Forget the attempts of an account and a network, after the right password.
--
-- KEYS   1 log-ins of the organization in this slot, 2 log-ins in the slot before
-- ARGV   1 field of the account and the network
-- result {}
local slot_key, slot_before_key, field = KEYS[1], KEYS[2], ARGV[1]

redis.call('HDEL', slot_key, field)
redis.call('HDEL', slot_before_key, field)
return {}
