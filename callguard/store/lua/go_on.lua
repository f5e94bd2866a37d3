-- Reopen a closed incident without a queue: its runaway has come back.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:incident  KEYS[3] {account}:ledger
-- KEYS[4] {account}:incident:ID  KEYS[5] {account}:ledger:ID
-- ARGV[1] generation, which is still that of the closed incident  ARGV[2] expiry of the incident ms
-- ARGV[3] the latest decision that the caller knows
--
-- Returns 1 if the incident is open again, else 0; -1 if the state may not be acted on
-- include parts/trust.lua
if not is_trusted(KEYS[1], ARGV[3]) then return -1 end
local held = redis.call('HMGET', KEYS[1], 'state', 'paused', 'generation', 'lost')
if held[4] then return 0 end -- it may have been enforced; while the decisions are in doubt, none is
if (held[1] or 'armed') ~= 'armed' or held[2] == '1' or held[3] ~= ARGV[1] then
    return 0
end
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('HGET', KEYS[4], 'unqueued') ~= '1' then
    return 0
end
local told = redis.call('HMGET', KEYS[4], 'tripped', 'mode', 'scope')
redis.call('RENAME', KEYS[4], KEYS[2])
redis.call('HDEL', KEYS[2], 'closed', 'reason', 'remaining', 'still_spared')
if redis.call('EXISTS', KEYS[5]) == 1 then redis.call('RENAME', KEYS[5], KEYS[3]) end
redis.call('HSET', KEYS[1], 'state', 'tripped', 'tripped', told[1], 'mode', told[2], 'scope', told[3], 'unqueued', '1')
redis.call('HDEL', KEYS[1], 'cooled', 'capped', 'suspect')
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
