-- Change the open incident to the policy's present mode.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:incident
-- ARGV[1] generation  ARGV[2] mode  the last: the latest decision that the caller knows
--
-- Returns 1 if it has changed, 0 if not; -1 if the state may not be acted on
-- include parts/states.lua
-- include parts/trust.lua
local trusted = is_trusted(KEYS[1], table.remove(ARGV))
local held = redis.call('HMGET', KEYS[1], 'state', 'generation', 'mode', 'lost')
local incident_open = is_open(held[1])
local mode = held[4] and 'observe' or ARGV[2]
if not incident_open or held[2] ~= ARGV[1] or held[3] == mode then
    return 0
end
if mode ~= 'observe' and not trusted then
    return -1
end
redis.call('HDEL', KEYS[1], 'mode') -- a write that takes no room comes first: a full server then allows the rest
redis.call('HSET', KEYS[1], 'mode', mode)
redis.call('HSET', KEYS[2], 'mode', mode)
return 1
