-- Widen the open incident to more calls.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:incident
-- ARGV[1] generation  ARGV[2] scope, as the state holds it
--
-- Returns 1; 0 if the incident is over
-- include parts/states.lua
local held = redis.call('HMGET', KEYS[1], 'state', 'generation')
local incident_open = is_open(held[1])
if not incident_open or held[2] ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'scope', ARGV[2])
redis.call('HSET', KEYS[2], 'scope', ARGV[2])
return 1
