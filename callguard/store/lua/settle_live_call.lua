-- Record what the guard did with a live call, once, in the incident of its generation, be it open or closed.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:live:SID  KEYS[3] {account}:incident
-- KEYS[4] {account}:incident:ID of the generation, once it is closed  KEYS[5] {account}:totals
-- ARGV[1] generation  ARGV[2] outcome, empty for a call that ended by itself  ARGV[3] expiry of the call ms
-- ARGV[4] expiry of the incident ms
--
-- Returns 1 if it was counted, else 0
-- include parts/states.lua
if redis.call('GET', KEYS[2]) == 'done' then return 0 end
redis.call('SET', KEYS[2], 'done', 'PX', ARGV[3])
if ARGV[2] == '' then return 0 end

redis.call('HINCRBY', KEYS[5], 'live:' .. ARGV[2], 1)
local held = redis.call('HMGET', KEYS[1], 'state', 'generation')
local incident_open = is_open(held[1])
local incident_key = incident_open and held[2] == ARGV[1] and KEYS[3] or KEYS[4]
if redis.call('EXISTS', incident_key) == 1 then
    redis.call('HINCRBY', incident_key, 'live_' .. ARGV[2], 1)
    redis.call('PEXPIRE', incident_key, ARGV[4])
end
return 1
