-- Take a lease that is free, or keep one's own.
--
-- KEYS[1] the lease  STRING  its owner
-- ARGV[1] owner  ARGV[2] lease ms
--
-- Returns 1 if the owner holds it, else 0
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
