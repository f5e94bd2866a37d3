-- Tell the watchers that an account should be looked at.
--
-- KEYS[1] news  ZSET  account by when there was news of it, in microseconds of the server's clock
-- ARGV[1] account  ARGV[2] for how long news is kept, ms
--
-- Returns 1
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2]) * 1000))
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
