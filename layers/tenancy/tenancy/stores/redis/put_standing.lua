-- Store the standing of an organization and the state of one of its credentials.
--
-- All fields of a version are written together. *limits_version* is the version that the limits belong to: the release
-- before writes a version without limits, and the limits of an earlier version stay.
--
-- A newer version, a revocation, an earlier end and a later epoch are never replaced. So a writer that read the database
-- earlier and writes later cannot restore an old state.
--
-- admit.lua reads a state from the field `state:`. Functions of the release before read `credential:`, and replace an end
-- in it by 'live'. The next release writes `state:` alone.
--
-- KEYS   1 standing of the organization
-- ARGV   1 version, 2 tier, 3 status, 4 epoch
--        5 limits as admit.lua reads them, with commas   6 overrides ('' for none)
--        7 id of a credential ('' for none), 8 its state: 'live', 'live until <ms since 1970>', 'revoked' or its epoch
--        9 time to live (ms). It starts with the first write and is never extended: a change that could not be written
--        here takes effect when the key expires.
-- result {}
local standing_key = KEYS[1]
local version, tier, status, epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local limits, overrides = ARGV[5], ARGV[6]
local credential_id, state, ttl_ms = ARGV[7], ARGV[8], ARGV[9]

-- Return when the state of a key ends, or nil for another state.
local function end_of(key_state)
    if key_state == 'live' then return math.huge end
    return tonumber(string.match(key_state, '^live until (%d+)$'))
end

-- Return whether the stored state of the credential must stay.
local function is_narrower(stored)
    local stored_epoch, epoch, stored_end, ends_at = tonumber(stored), tonumber(state), end_of(stored), end_of(state)
    if stored_epoch and epoch then return stored_epoch > epoch end
    if stored_end and ends_at then return stored_end < ends_at end
    return stored == 'revoked'
end

if tonumber(redis.call('HGET', standing_key, 'version') or -1) <= tonumber(version) then
    redis.call('HSET', standing_key, 'version', version, 'tier', tier, 'status', status, 'epoch', epoch,
        'limits_version', version, 'limits', limits, 'overrides', overrides)
end
if credential_id ~= '' then
    local stored = redis.call('HGET', standing_key, 'state:' .. credential_id)
    if not (stored and is_narrower(stored)) then
        redis.call('HSET', standing_key, 'state:' .. credential_id, state, 'credential:' .. credential_id, state)
    end
end
if redis.call('PTTL', standing_key) < 0 then redis.call('PEXPIRE', standing_key, ttl_ms) end
return {}
