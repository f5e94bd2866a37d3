-- Go back from cooling to draining: calls are queued again while the incident is open.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue
-- ARGV[1] generation  ARGV[2] the latest decision that the caller knows
--
-- Returns 1 if the account is draining again, else 0; -1 if the state may not be acted on
-- include parts/trust.lua
if not is_trusted(KEYS[1], ARGV[2]) then return -1 end
local held = redis.call('HMGET', KEYS[1], 'state', 'generation', 'mode', 'capped', 'paused', 'lost')
if held[1] ~= 'cooling' or held[2] ~= ARGV[1] or held[3] == 'observe' or held[4] == '1' or held[5] == '1'
    or held[6] then
    return 0
end
if redis.call('ZCARD', KEYS[2]) == 0 then
    return 0
end
redis.call('HSET', KEYS[1], 'state', 'draining')
return 1
