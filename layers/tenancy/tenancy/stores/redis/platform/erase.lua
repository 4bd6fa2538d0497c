-- Delete or count the keys of an organization that is being erased.
--
-- KEYS   every key that the organization may have
-- ARGV   1 'delete' or 'count'
-- result number of keys that existed
local action = ARGV[1]

if action == 'delete' then return redis.call('DEL', unpack(KEYS)) end
return redis.call('EXISTS', unpack(KEYS))
