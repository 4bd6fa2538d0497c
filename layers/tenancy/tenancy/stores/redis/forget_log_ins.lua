-- Forget the attempts of an account and a network, after the right password.
--
-- KEYS   1 log-ins of the organization
-- ARGV   1 field of the account and the network
-- result {}
local log_ins_key, field = KEYS[1], ARGV[1]

redis.call('HDEL', log_ins_key, field)
return {}
