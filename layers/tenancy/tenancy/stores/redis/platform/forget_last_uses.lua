-- Delete last uses that are persisted. A key that was used in a later hour meanwhile keeps its field.
--
-- KEYS   1 last uses of the organization's keys
-- ARGV   id of a key, hour of its persisted use (UTC), …
-- result {}
local last_use_key = KEYS[1]

for place = 1, #ARGV, 2 do
    local credential_id, hour = ARGV[place], ARGV[place + 1]
    if redis.call('HGET', last_use_key, credential_id) == hour then redis.call('HDEL', last_use_key, credential_id) end
end
return {}
