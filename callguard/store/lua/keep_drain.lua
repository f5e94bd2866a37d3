-- Renew the lease of a drain that may go on, also one that has lapsed and that nobody else has taken.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:lease
-- ARGV[1] generation  ARGV[2] owner  ARGV[3] lease ms
-- ARGV[4] the latest decision that the caller knows
--
-- Returns 1 if the drain may go on, else 0; -1 if that is unknown until the state is restored (`vouch`)
-- include parts/trust.lua
if not is_trusted(KEYS[1], ARGV[4]) then return -1 end
local held = redis.call('HMGET', KEYS[1], 'state', 'paused', 'generation')
if held[1] ~= 'draining' or held[2] == '1' or held[3] ~= ARGV[1] then
    return 0
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then
    return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
