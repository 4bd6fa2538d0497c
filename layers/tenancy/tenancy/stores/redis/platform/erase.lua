-- Forget what is counted of an organization that ends, or say how much there is.
--
-- KEYS   all keys of the organization
-- ARGV   1 'delete' or 'count'
-- result how many of them there were
if ARGV[1] == 'delete' then return redis.call('DEL', unpack(KEYS)) end
return redis.call('EXISTS', unpack(KEYS))
