-- Open an incident, if the account is armed and no other process was faster.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:incident  KEYS[3] {account}:ledger
-- KEYS[4] {account}:incidents  KEYS[5] {account}:totals
-- ARGV[1] generation expected  ARGV[2] now ms  ARGV[3] mode  ARGV[4] incident id
-- ARGV[5] expiry of the incident ms  ARGV[6] rule  ARGV[7] histogram field of the delay
-- ARGV[8] the delay in seconds  ARGV[9] scope: "since:sender,sender"
-- ARGV[10] unqueued (0/1): there is no queue to drain  ARGV[11...] field, value, ... of the incident
--
-- The last argument, after those: the latest decision that the caller knows
--
-- Returns 1 if this call tripped the guard, else 0; -1 if the state may not be acted on
-- include parts/trust.lua
if not is_trusted(KEYS[1], table.remove(ARGV)) then return -1 end
local held = redis.call('HMGET', KEYS[1], 'state', 'paused', 'generation', 'lost')
local state, paused, generation = held[1] or 'armed', held[2] == '1', tonumber(held[3] or '0')
if state ~= 'armed' or paused or generation ~= tonumber(ARGV[1]) then
    return 0
end

-- While the decisions are in doubt, nothing is cancelled.
local mode = held[4] and 'observe' or ARGV[3]
redis.call('HSET', KEYS[1], 'state', 'tripped', 'generation', generation + 1, 'tripped', ARGV[2],
    'mode', mode, 'scope', ARGV[9], 'unqueued', ARGV[10])
redis.call('HDEL', KEYS[1], 'cooled', 'capped', 'suspect')
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[2], 'id', ARGV[4], 'generation', generation + 1, 'tripped', ARGV[2],
    'mode', mode, 'rule', ARGV[6], 'scope', ARGV[9], 'unqueued', ARGV[10])
for i = 11, #ARGV, 2 do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', tonumber(ARGV[2]) - tonumber(ARGV[5]))
redis.call('PEXPIRE', KEYS[4], ARGV[5])
redis.call('HINCRBY', KEYS[5], 'trips:' .. ARGV[6], 1)
redis.call('HSET', KEYS[5], 'tripped_at', ARGV[2])
redis.call('HINCRBY', KEYS[5], ARGV[7], 1)
redis.call('HINCRBYFLOAT', KEYS[5], 'detection_sum', ARGV[8])
return 1
