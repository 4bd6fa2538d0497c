-- Store the standing of an organization and the state of one of its credentials.
--
-- All fields of a version are written together. *limits_version* is the version that the limits belong to: the release
-- before writes a version without limits, and the limits of an earlier version stay.
--
-- A newer version, a revocation and a later epoch are never replaced. So a writer that read the database earlier and
-- writes later cannot restore an old state.
--
-- KEYS   1 standing of the organization
-- ARGV   1 version, 2 tier, 3 status, 4 epoch
--        5 limits as admit.lua reads them, with commas   6 overrides ('' for none)
--        7 id of a credential, 8 'live', 'revoked' or its epoch ('' for none)
--        9 time to live (ms). It starts with the first write and is never extended: a change that could not be written
--        here takes effect when the key expires.
-- result {}
local standing_key = KEYS[1]
local version, tier, status, epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local limits, overrides = ARGV[5], ARGV[6]
local credential_id, credential, ttl_ms = ARGV[7], ARGV[8], ARGV[9]

if tonumber(redis.call('HGET', standing_key, 'version') or -1) <= tonumber(version) then
    redis.call('HSET', standing_key, 'version', version, 'tier', tier, 'status', status, 'epoch', epoch,
        'limits_version', version, 'limits', limits, 'overrides', overrides)
end
if credential_id ~= '' then
    local field = 'credential:' .. credential_id
    local stored = redis.call('HGET', standing_key, field)
    local stored_epoch, new_epoch = tonumber(stored or ''), tonumber(credential)
    local is_older = stored_epoch and new_epoch and stored_epoch > new_epoch
    if stored ~= 'revoked' and not is_older then redis.call('HSET', standing_key, field, credential) end
end
if redis.call('PTTL', standing_key) < 0 then redis.call('PEXPIRE', standing_key, ttl_ms) end
return {}
