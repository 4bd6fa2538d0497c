-- Count one attempt to log in before its password is checked, or refuse it.
--
-- KEYS   1 log-ins of the organization
-- ARGV   1 field of the account and the network   2 now (ms)   3 time to live of the key (ms). It starts with the first
--        write and is never extended, so attempts of others never lengthen a wait.
--        4 pause after the first failed attempt (ms), 5 after the second, and so on. There are as many attempts.
-- result {1, 0} if the password may be checked
--        {0, time until the next attempt (ms)} if not. Such an attempt is not counted.
local log_ins_key, field = KEYS[1], ARGV[1]
local now, ttl_ms = tonumber(ARGV[2]), ARGV[3]
local FIRST_PAUSE = 4
local most = #ARGV - FIRST_PAUSE + 1

local stored = redis.call('HGET', log_ins_key, field)
local attempts, next_at = string.match(stored or '0 0', '^(%d+) (%d+)$')
attempts, next_at = tonumber(attempts), tonumber(next_at)
if attempts >= most then return {0, math.max(redis.call('PTTL', log_ins_key), 1)} end
if next_at > now then return {0, next_at - now} end
local pause = tonumber(ARGV[FIRST_PAUSE + attempts])
redis.call('HSET', log_ins_key, field, string.format('%d %.0f', attempts + 1, pause > 0 and now + pause or 0))
if redis.call('PTTL', log_ins_key) < 0 then redis.call('PEXPIRE', log_ins_key, ttl_ms) end
return {1, 0}
