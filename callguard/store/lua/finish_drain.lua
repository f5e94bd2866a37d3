-- End a drain: the account cools down. Not while calls are queued, unless the cap or observing ended it.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:lease  KEYS[3] {account}:queue
-- KEYS[4] {account}:incident  KEYS[5] {account}:totals
-- ARGV[1] generation  ARGV[2] owner  ARGV[3] now ms  ARGV[4] capped (0/1)
-- ARGV[5] histogram field of the duration  ARGV[6] the duration in seconds
--
-- Returns 1 if the account is cooling, 0 if there is more to do or the drain is not the owner's any more
local held = redis.call('HMGET', KEYS[1], 'state', 'generation', 'mode', 'cooled')
local capped = ARGV[4] == '1'
if held[1] ~= 'draining' or held[2] ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[2] then
    return 0
end
if not capped and held[3] ~= 'observe' and redis.call('ZCARD', KEYS[3]) > 0 then
    return 0
end
-- The quiet time counts from the end of the first drain: later ordinary calls must not put it off.
redis.call('DEL', KEYS[2]) -- a write that takes no room comes first: a full server then allows the rest
redis.call('HSET', KEYS[1], 'state', 'cooling', 'capped', ARGV[4])
redis.call('HSETNX', KEYS[1], 'cooled', ARGV[3])
redis.call('HSETNX', KEYS[4], 'cooled', ARGV[3])
if not held[4] then
    redis.call('HINCRBY', KEYS[5], ARGV[5], 1)
    redis.call('HINCRBYFLOAT', KEYS[5], 'cancel_sum', ARGV[6])
end
return 1
