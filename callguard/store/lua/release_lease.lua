-- Give up a lease that is one's own.
--
-- KEYS[1] the lease  STRING  its owner
-- ARGV[1] owner
--
-- Returns 1 if it was given up, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
return redis.call('DEL', KEYS[1])
