-- Note how an organization and one of its credentials stand: what is newer stays, a revocation stays, a later epoch
-- stays; so nobody who read the database earlier, and writes later, can bring anything back.
--
-- KEYS   1 the organization's standing
-- ARGV   1 version, 2 tier, 3 status, 4 epoch   5 credential, 6 'live', 'revoked' or its epoch (5 and 6 '' for none)
--        7 how long it is known (ms), from the first note on: a change that could not be noted bites by then
-- result nothing
if tonumber(redis.call('HGET', KEYS[1], 'version') or -1) <= tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], 'version', ARGV[1], 'tier', ARGV[2], 'status', ARGV[3], 'epoch', ARGV[4])
end
if ARGV[5] ~= '' then
    local field = 'credential:' .. ARGV[5]
    local known = redis.call('HGET', KEYS[1], field)
    local older = tonumber(known or '') and tonumber(ARGV[6]) and tonumber(known) > tonumber(ARGV[6])
    if known ~= 'revoked' and not older then redis.call('HSET', KEYS[1], field, ARGV[6]) end
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[7]) end
return {}
