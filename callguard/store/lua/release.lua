-- Take the queued calls of announced campaigns for any other calls: a wrong announcement has let them in.
--
-- KEYS[1] {account}:announced  KEYS[2] {account}:queue  KEYS[3] {account}:state
-- ARGV[1] expiry ms  ARGV[2] now ms
--
-- Returns how many
-- include parts/decide.lua
redis.call('HSET', KEYS[3], 'released', decide(KEYS[3], ARGV[2]))
local calls = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #calls, 2 do
    redis.call('ZADD', KEYS[2], calls[i + 1], calls[i])
end
if #calls > 0 then
    redis.call('DEL', KEYS[1])
    redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return #calls / 2
