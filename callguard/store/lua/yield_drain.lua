-- Give the lease back with the drain unfinished.
--
-- KEYS[1] {account}:lease  KEYS[2] {account}:incident
-- ARGV[1] owner  ARGV[2] calls that could not be cancelled so far
--
-- Returns 1 if the owner held the lease, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('HSET', KEYS[2], 'failed', ARGV[2])
end
redis.call('DEL', KEYS[1])
return 1
