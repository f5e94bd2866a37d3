-- Take the lease of a drain and mark the account as draining.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:lease  KEYS[3] {account}:incident
-- ARGV[1] generation  ARGV[2] owner  ARGV[3] lease ms  ARGV[4] the policy's mode: observe is kept to
-- ARGV[5] the latest decision that the caller knows
--
-- Returns 1 if the owner may drain, else 0; -1 if the state may not be acted on
-- include parts/trust.lua
if not is_trusted(KEYS[1], ARGV[5]) then return -1 end
local held = redis.call('HMGET', KEYS[1], 'state', 'paused', 'generation', 'lost', 'unqueued')
if held[5] == '1' then return 0 end -- there is nothing to drain
if held[3] ~= ARGV[1] or held[2] == '1' or (held[1] ~= 'tripped' and held[1] ~= 'draining') then
    return 0
end
if not redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then
    return 0
end
redis.call('HSET', KEYS[1], 'state', 'draining')
if ARGV[4] == 'observe' or held[4] then
    redis.call('HSET', KEYS[1], 'mode', 'observe')
    redis.call('HSET', KEYS[3], 'mode', 'observe')
end
return 1
