-- Record what became of a call, once, in the incident of its generation, be it open or closed.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:incident
-- KEYS[4] {account}:ledger  KEYS[5] {account}:totals  KEYS[6] {account}:call:SID
-- KEYS[7] {account}:incident:ID  KEYS[8] {account}:ledger:ID  of the generation, once it is closed
-- ARGV[1] generation  ARGV[2] SID  ARGV[3] outcome  ARGV[4] expiry of a call that has left ms
-- ARGV[5] expiry of the incident ms
--
-- Returns 1 if it was counted, 0 if another writer had counted it or the incident is not known
-- include parts/numbers.lua
-- include parts/horizon.lua
-- include parts/dead_slots.lua

local ABSENT, SETTLED = 32, 64
local sid, outcome = ARGV[2], ARGV[3]
local queued = 0
if outcome ~= 'observed' then
    queued = redis.call('ZREM', KEYS[2], sid)
    -- "gone" says only that Twilio did not know the call; a list that shows it again is believed.
    local seen = tonumber(redis.call('GET', KEYS[6]) or '0') or 0
    seen = bit.bor(seen, outcome == 'gone' and ABSENT or SETTLED)
    redis.call('SET', KEYS[6], seen, 'PX', ARGV[4])
end

if queued == 1 and outcome == 'cancelled' then mark_dead_slots(KEYS[1]) end
local held = redis.call('HMGET', KEYS[1], 'state', 'generation')
local incident_open = held[1] == 'tripped' or held[1] == 'draining' or held[1] == 'cooling'
local incident_key, ledger_key = KEYS[3], KEYS[4]
if not incident_open or held[2] ~= ARGV[1] then
    incident_key, ledger_key = KEYS[7], KEYS[8]
    if redis.call('EXISTS', incident_key) == 0 then
        return 0
    end
end
if redis.call('HSETNX', ledger_key, sid, outcome) == 0 then
    return 0
end
redis.call('HINCRBY', incident_key, outcome, 1)
if incident_key == KEYS[7] and queued == 1 then
    redis.call('HINCRBY', incident_key, 'remaining', -1)
end
redis.call('HINCRBY', KEYS[5], 'cancellations:' .. outcome, 1)
redis.call('PEXPIRE', ledger_key, ARGV[5])
redis.call('PEXPIRE', incident_key, ARGV[5])
return 1
