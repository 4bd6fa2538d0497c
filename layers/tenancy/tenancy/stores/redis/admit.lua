-- Decide on one request and reserve its events in one step: credential (rules/standing.py), rate limit
-- (rules/rate_limit.py), status, quotas. Note the hour in which a key was used.
--
-- KEYS   1 rate bucket   2 last uses of keys; for a tenant also 3 its standing, 4 its usage of the month
-- ARGV   1 now, 2 window, 3 block (ms; 0: the bucket is refused only until its window ends)   4 day, 5 hour (UTC)
--        6 id of the credential, 7 its epochs ('' for a key)
--        8 number of the request's events that every retention includes   9 ages of its other events in days, with
--        commas   10 '1': accept or hold all of the events or none   11 time to live of the last uses (ms)
--        from 12 on, nine values for each tier: name, then its limits: requests of management per minute and per
--        month; requests of ingest per minute and per month; per month events, held events; stored bytes; retention in
--        days ('' is unlimited)
-- result {verdict, tier, status, limit, requests in the window, its end (ms), accepted, held, metric, used,
--         overrides of the organization ('' for none)}
--        {'unauthenticated'} if the credential is revoked or has ended, or its epochs are not the current ones
--        {'unknown'} if a key, a field or the tier is missing. The caller then reads PostgreSQL: a missing value means
--        neither 0 nor active.
local bucket_key, last_use_key, standing_key, usage_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, window_ms, block_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local day, hour = ARGV[4], ARGV[5]
local credential_id, epochs = ARGV[6], ARGV[7]
local events, ages, all_or_nothing = tonumber(ARGV[8]), ARGV[9], ARGV[10] == '1'
local last_use_ttl_ms = ARGV[11]
local FIRST_TIER, VALUES_PER_TIER = 12, 9
local is_tenant = #KEYS > 2
local is_ingest = string.match(bucket_key, ':ingest$')

-- Return the limits of a standing, or nil if a release with no limits, or another number of them, wrote it last.
local function own_limits(limits, limits_version, version)
    if not limits or limits_version ~= version then return nil end
    local row = {}
    for limit in string.gmatch(limits .. ',', '([^,]*),') do row[#row + 1] = limit end
    if #row ~= VALUES_PER_TIER - 1 then return nil end
    return row
end

-- Return whether a state of put_standing.lua is that of a valid credential.
local function is_valid(state, epoch)
    local ends_at = string.match(state, '^live until (%d+)$')
    if ends_at then return epochs == '' and now < tonumber(ends_at) end
    if epochs == '' then return state == 'live' end
    return epochs == epoch .. '.' .. state
end

-- Note the use of a key, once an hour. The roll-up persists the hour and deletes the field.
local function note_use()
    if epochs ~= '' or (redis.call('HGET', last_use_key, credential_id) or '') >= hour then return end
    redis.call('HSET', last_use_key, credential_id, hour)
    redis.call('PEXPIRE', last_use_key, last_use_ttl_ms)
end

local tier, status, overrides, limits = ARGV[FIRST_TIER], '', '', nil
if is_tenant then
    local standing = redis.call('HMGET', standing_key, 'tier', 'status', 'epoch', 'state:' .. credential_id,
        'version', 'limits_version', 'limits', 'overrides')
    local stored_tier, stored_status, epoch, state = standing[1], standing[2], standing[3], standing[4]
    local version, limits_version, stored_limits, stored_overrides = standing[5], standing[6], standing[7], standing[8]
    if not (stored_tier and stored_status and epoch and state) then return {'unknown'} end
    if redis.call('EXISTS', usage_key) == 0 then return {'unknown'} end
    tier, status = stored_tier, stored_status
    limits = own_limits(stored_limits, limits_version, version)
    if limits then overrides = stored_overrides or '' end
    if not is_valid(state, epoch) then return {'unauthenticated'} end
end
if not is_tenant or status == 'active' then note_use() end
local place = FIRST_TIER
while ARGV[place] and ARGV[place] ~= tier do place = place + VALUES_PER_TIER end
if not ARGV[place] then return {'unknown'} end
local function limit_at(position)
    return tonumber(limits and limits[position] or ARGV[place + position]) or math.huge
end
local requests_per_minute, requests_per_month = limit_at(is_ingest and 3 or 1), limit_at(is_ingest and 4 or 2)
local events_per_month, held_per_month = limit_at(5), limit_at(6)
local max_bytes, retention_days = limit_at(7), limit_at(8)
for age in string.gmatch(ages, '%d+') do
    if tonumber(age) <= retention_days then events = events + 1 end
end

local window = redis.call('HMGET', bucket_key, 'requests', 'ends_at')
local requests, ends_at = tonumber(window[1] or 0), tonumber(window[2] or 0)
if ends_at <= now then requests, ends_at = 0, now + window_ms end
requests = requests + 1
if block_ms > 0 and requests == requests_per_minute + 1 then ends_at = now + block_ms end
redis.call('HSET', bucket_key, 'requests', requests, 'ends_at', string.format('%.0f', ends_at))
-- The expiry only frees memory. The field ends_at decides, because the clocks of Redis and its clients differ.
redis.call('PEXPIRE', bucket_key, 2 * window_ms)

local function answer(verdict, accepted, held, metric, used)
    return {verdict, tier, status, requests_per_minute, requests, ends_at, accepted, held, metric, used, overrides}
end
if requests > requests_per_minute then return answer('rate_limited', 0, 0, '', 0) end
if not is_tenant then return answer('admitted', 0, 0, '', 0) end
if status ~= 'active' then return answer('inactive', 0, 0, '', 0) end

-- Each bucket has a quota of its own, so devices cannot lock the organization's people out. *requests* counts those of
-- both buckets and *management* its own, as the release before does. The rest are those of ingest.
local usage = redis.call('HMGET', usage_key, 'requests', 'management', 'events', 'held', 'storage')
local all_requests, management_requests = tonumber(usage[1] or 0), tonumber(usage[2] or 0)
local used_events, held_before, stored_bytes = tonumber(usage[3] or 0), tonumber(usage[4] or 0), tonumber(usage[5] or 0)
local used_requests, requests_metric = management_requests, 'api_requests'
if is_ingest then
    used_requests, requests_metric = math.max(0, all_requests - management_requests), 'ingest_requests'
end
if used_requests >= requests_per_month then return answer('over_quota', 0, 0, requests_metric, used_requests) end
redis.call('HINCRBY', usage_key, 'requests', 1)
redis.call('HINCRBY', usage_key, 'requests:' .. day, 1)
if not is_ingest then
    redis.call('HINCRBY', usage_key, 'management', 1)
    redis.call('HINCRBY', usage_key, 'management:' .. day, 1)
end

local metric, used, room = 'events', used_events, math.max(0, events_per_month - used_events)
if stored_bytes >= max_bytes then metric, used, room = 'storage_bytes', stored_bytes, 0 end
local accepted = math.min(events, room)
local held = math.min(events - accepted, math.max(0, held_per_month - held_before))
if all_or_nothing and accepted + held < events then accepted, held = 0, 0 end
if accepted > 0 then
    redis.call('HINCRBY', usage_key, 'events', accepted)
    redis.call('HINCRBY', usage_key, 'events:' .. hour, accepted) -- for platform/settle.lua: rows may not exist yet
end
if held > 0 then
    redis.call('HINCRBY', usage_key, 'held', held)
    redis.call('HINCRBY', usage_key, 'held:' .. hour, held)
end
return answer('admitted', accepted, held, metric, used)
