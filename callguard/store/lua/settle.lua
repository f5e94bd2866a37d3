-- Record what became of a call, once. What is known of the call is kept even if the incident is over.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:incident
-- KEYS[4] {account}:ledger  KEYS[5] {account}:totals  KEYS[6] {account}:call:SID
-- ARGV[1] generation  ARGV[2] SID  ARGV[3] outcome  ARGV[4] expiry of a call that has left ms
-- ARGV[5] expiry of the incident ms
--
-- Returns 1 if it was counted, 0 if another writer had counted it or the incident is over
local GONE = 32
local sid, outcome = ARGV[2], ARGV[3]
local held = redis.call('HMGET', KEYS[1], 'state', 'generation')
local incident_open = held[1] == 'tripped' or held[1] == 'draining' or held[1] == 'cooling'
if outcome ~= 'observed' then
    redis.call('ZREM', KEYS[2], sid)
    local seen = tonumber(redis.call('GET', KEYS[6]) or '0') or 0
    redis.call('SET', KEYS[6], bit.bor(seen, GONE), 'PX', ARGV[4])
end
if not incident_open or held[2] ~= ARGV[1] or redis.call('HSETNX', KEYS[4], sid, outcome) == 0 then
    return 0
end
redis.call('HINCRBY', KEYS[3], outcome, 1)
redis.call('HINCRBY', KEYS[5], 'cancellations:' .. outcome, 1)
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return 1
