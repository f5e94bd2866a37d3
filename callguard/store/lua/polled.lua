-- Note that Twilio's list was read whole, and hold the horizon to what it showed.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:spared
-- ARGV[1] now ms  ARGV[2] cps  ARGV[3] min_backlog
--
-- Returns 1
local now, cps = tonumber(ARGV[1]), tonumber(ARGV[2])
local cancellable = redis.call('ZCARD', KEYS[2])
local depth = cancellable + redis.call('ZCARD', KEYS[3])
local horizon = tonumber(redis.call('HGET', KEYS[1], 'horizon') or '0')
-- Each live call needs a slot that is still to come: domain/drain_time.py, horizon_at_least.
horizon = math.max(horizon, now + depth * 1000 / cps)
redis.call('HSET', KEYS[1], 'polled', now, 'horizon', string.format('%.3f', horizon))
if cancellable < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], 'shallow', now)
end
return 1
