-- Close the incident, keep it under its own name, empty the buckets and arm the guard.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:incident  KEYS[3] {account}:ledger
-- KEYS[4] {account}:incident:ID  KEYS[5] {account}:ledger:ID
-- KEYS[6] {account}:queue  KEYS[7] {account}:spared  KEYS[8] {account}:outside: calls like any other from now on
-- KEYS[9] {account}:senders: each number's bucket; the next spike has carriers of its own
-- ARGV[1] generation  ARGV[2] force (0/1): from any open state; without, from cooling, or where there is no queue
-- ARGV[3] now ms  ARGV[4] reason
-- ARGV[5] expiry of the incident ms  ARGV[6] expiry of account keys ms
-- ARGV[7] who, empty for the guard itself
--
-- Returns 1 if the guard is armed again by this call, else 0
-- include parts/decide.lua
local held = redis.call('HMGET', KEYS[1], 'state', 'generation', 'unqueued')
local state = held[1] or 'armed'
local may_end = state == 'cooling' or held[3] == '1' or ARGV[2] == '1'
if state == 'armed' or held[2] ~= ARGV[1] or not may_end then
    return 0
end
if ARGV[7] ~= '' then
    local number = decide(KEYS[1], ARGV[3])
    redis.call('HDEL', KEYS[1], 'lost')
    redis.call('HSET', KEYS[1], 'said', number, 'reset_generation', ARGV[1])
end
-- A write that takes no room comes first: a full server then allows the rest.
redis.call('HDEL', KEYS[1], 'tripped', 'cooled', 'capped', 'mode', 'suspect', 'scope', 'q', 'i', 'p', 'r',
    'repeated_by', 'unqueued')
redis.call('DEL', KEYS[9])
redis.call('HSET', KEYS[1], 'state', 'armed')
if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('HSET', KEYS[2], 'closed', ARGV[3], 'reason', ARGV[4], 'closed_by', ARGV[7],
        'remaining', redis.call('ZCARD', KEYS[6]), 'still_spared', redis.call('ZCARD', KEYS[7]))
    redis.call('RENAME', KEYS[2], KEYS[4])
    redis.call('PEXPIRE', KEYS[4], ARGV[5])
end
if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('RENAME', KEYS[3], KEYS[5])
    redis.call('PEXPIRE', KEYS[5], ARGV[5])
end
if redis.call('EXISTS', KEYS[8]) == 1 then
    redis.call('ZUNIONSTORE', KEYS[6], 2, KEYS[6], KEYS[8], 'AGGREGATE', 'MAX')
    redis.call('PEXPIRE', KEYS[6], ARGV[6])
    redis.call('DEL', KEYS[8])
end
return 1
