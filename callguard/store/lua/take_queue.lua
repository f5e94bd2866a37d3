-- Let an incident that began without a queue be drained: calls are queued now.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:incident
-- ARGV[1] generation  ARGV[2] now ms  ARGV[3] the latest decision that the caller knows
--
-- Returns 1 if this call did it, else 0; -1 if the state may not be acted on
-- include parts/trust.lua
if not is_trusted(KEYS[1], ARGV[3]) then return -1 end
local held = redis.call('HMGET', KEYS[1], 'state', 'generation', 'unqueued', 'paused')
if held[1] ~= 'tripped' or held[2] ~= ARGV[1] or held[3] ~= '1' or held[4] == '1' then
    return 0
end
redis.call('HDEL', KEYS[1], 'unqueued')
redis.call('HSET', KEYS[2], 'unqueued', '0', 'queued_since', ARGV[2])
return 1
