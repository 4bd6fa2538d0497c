-- Count one attempt to log in before its password is checked, or refuse it.
--
-- The time of the first attempt of a field is stored in the field, so attempts of others change no wait.
--
-- KEYS   1 log-ins of the organization in this slot, 2 log-ins in the slot before
-- ARGV   1 field of the account and the network   2 now (ms)   3 time for which attempts count (ms), the length of a
--        slot   4 time to live of this slot's key (ms). It starts with the first write and is never extended.
--        5 pause after the first failed attempt (ms), 6 after the second, and so on. There are as many attempts.
-- result {1, 0} if the password may be checked
--        {0, time until the next attempt (ms)} if not. Such an attempt is not counted.
local slot_key, slot_before_key, field = KEYS[1], KEYS[2], ARGV[1]
local now, counting_time, ttl_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local FIRST_PAUSE = 5
local most = #ARGV - FIRST_PAUSE + 1

local stored = redis.call('HGET', slot_key, field) or redis.call('HGET', slot_before_key, field)
local attempts, next_at, first_at = string.match(stored or '', '^(%d+) (%d+) (%d+)$')
attempts, next_at, first_at = tonumber(attempts or 0), tonumber(next_at or 0), tonumber(first_at or now)
if first_at + counting_time <= now then attempts, next_at, first_at = 0, 0, now end
if attempts >= most then return {0, math.min(first_at + counting_time - now, counting_time)} end
if next_at > now then return {0, next_at - now} end
local pause = tonumber(ARGV[FIRST_PAUSE + attempts])
local next_attempt_at = pause > 0 and now + pause or 0
redis.call('HSET', slot_key, field, string.format('%d %.0f %.0f', attempts + 1, next_attempt_at, first_at))
if redis.call('PTTL', slot_key) < 0 then redis.call('PEXPIRE', slot_key, ttl_ms) end
return {1, 0}
