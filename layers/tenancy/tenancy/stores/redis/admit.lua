-- Decide on one request, and reserve its events: rate_limit.py's rule, then status, then quotas, in one step.
--
-- KEYS   1 the rate bucket; of an organization also 2 its standing, 3 its usage of the month
-- ARGV   1 now, 2 window, 3 block (ms)   4 day, 5 hour (UTC)   6 credential, 7 its epochs ('' for a key)
--        8 events that the request brings   9 '1': all of them or none
--        from 10 on, six for each tier: name, requests a minute, requests, events, held events a month, bytes stored
-- result {verdict, tier, status, limit, requests in the window, its end (ms), accepted, held, metric, used};
--        {'unknown'} where a key is missing, which then is to be seeded: never 0, never active
local now, events = tonumber(ARGV[1]), tonumber(ARGV[8])
local tier, status = ARGV[10], ''
if #KEYS > 1 then
    local standing = redis.call('HMGET', KEYS[2], 'tier', 'status', 'epoch', 'credential:' .. ARGV[6])
    for field = 1, 4 do
        if not standing[field] then return {'unknown'} end
    end
    if redis.call('EXISTS', KEYS[3]) == 0 then return {'unknown'} end
    tier, status = standing[1], standing[2]
    if standing[4] == 'revoked' or (ARGV[7] ~= '' and ARGV[7] ~= standing[3] .. '.' .. standing[4]) then
        return {'unauthenticated'}
    end
end
local limits = 10
while ARGV[limits] and ARGV[limits] ~= tier do limits = limits + 6 end
if not ARGV[limits] then return {'unknown'} end
local limit = tonumber(ARGV[limits + 1])

local window = redis.call('HMGET', KEYS[1], 'requests', 'ends_at')
local requests, ends_at = tonumber(window[1] or 0), tonumber(window[2] or 0)
if ends_at <= now then requests, ends_at = 0, now + tonumber(ARGV[2]) end
requests = requests + 1
if requests == limit + 1 then ends_at = now + tonumber(ARGV[3]) end
redis.call('HSET', KEYS[1], 'requests', requests, 'ends_at', string.format('%.0f', ends_at))
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3]) -- only cleans up: what has ended is told by ends_at, clocks differ

local function answer(verdict, accepted, held, metric, used)
    return {verdict, tier, status, limit, requests, ends_at, accepted, held, metric, used}
end
if requests > limit then return answer('rate_limited', 0, 0, '', 0) end
if #KEYS == 1 then return answer('admitted', 0, 0, '', 0) end
if status ~= 'active' then return answer('inactive', 0, 0, '', 0) end

-- The month's requests are the buckets' together for a device, its owner's own for its owner: nobody is locked out.
local is_management = string.match(KEYS[1], ':management$')
local usage = redis.call('HMGET', KEYS[3], is_management and 'management' or 'requests', 'events', 'held', 'storage')
local asked, counted = tonumber(usage[1] or 0), tonumber(usage[2] or 0)
local kept, stored = tonumber(usage[3] or 0), tonumber(usage[4] or 0)
if asked >= tonumber(ARGV[limits + 2]) then return answer('over_quota', 0, 0, 'api_requests', asked) end
if is_management then redis.call('HINCRBY', KEYS[3], 'management', 1) end
redis.call('HINCRBY', KEYS[3], 'requests', 1)
redis.call('HINCRBY', KEYS[3], 'requests:' .. ARGV[4], 1)

local metric, used, room = 'events', counted, math.max(0, tonumber(ARGV[limits + 3]) - counted)
if stored >= tonumber(ARGV[limits + 5]) then metric, used, room = 'storage_bytes', stored, 0 end
local accepted = math.min(events, room)
local held = math.min(events - accepted, math.max(0, tonumber(ARGV[limits + 4]) - kept))
if ARGV[9] == '1' and accepted + held < events then accepted, held = 0, 0 end
if accepted > 0 then
    redis.call('HINCRBY', KEYS[3], 'events', accepted)
    redis.call('HINCRBY', KEYS[3], 'events:' .. ARGV[5], accepted) -- what is on its way: platform/settle.lua
end
if held > 0 then
    redis.call('HINCRBY', KEYS[3], 'held', held)
    redis.call('HINCRBY', KEYS[3], 'held:' .. ARGV[5], held)
end
return answer('admitted', accepted, held, metric, used)
