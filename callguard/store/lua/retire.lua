-- Take calls that Twilio no longer lists out of the mirror. They come back only if it lists them again.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:spared
-- KEYS[4] {account}:incident  KEYS[5] {account}:ledger  KEYS[6] {account}:totals
-- KEYS[7] {account}:announced  KEYS[8] {account}:outside  KEYS[8+i] {account}:call:SID of call i
-- ARGV[1] expiry of a call that has left ms  ARGV[2] expiry of the incident ms
-- ARGV[3] were dialled (0/1), as far as anybody knows; else somebody has cancelled them
-- ARGV[3+i] SID of call i
--
-- Returns how many were in the mirror
-- include parts/numbers.lua
-- include parts/horizon.lua
-- include parts/dead_slots.lua

local ABSENT = 32
local state = redis.call('HMGET', KEYS[1], 'state', 'mode')
local incident_open = state[1] == 'tripped' or state[1] == 'draining' or state[1] == 'cooling'
local left_ttl, incident_ttl = ARGV[1], ARGV[2]
if #KEYS - 8 ~= #ARGV - 3 then
    return redis.error_reply('ERR retire: one key per call is needed')
end

local retired = 0
for i = 1, #ARGV - 3 do
    local sid, call_key = ARGV[3 + i], KEYS[8 + i]
    local queued, was_spared = redis.call('ZREM', KEYS[2], sid), redis.call('ZREM', KEYS[3], sid)
    local was_other = redis.call('ZREM', KEYS[7], sid) + redis.call('ZREM', KEYS[8], sid)
    if queued + was_spared + was_other > 0 then
        retired = retired + 1
        local seen = tonumber(redis.call('GET', call_key) or '0') or 0
        redis.call('SET', call_key, bit.bor(seen, ABSENT), 'PX', left_ttl)
        local outcome = queued == 1 and 'gone' or 'spared'
        local counts = incident_open and state[2] ~= 'observe' and queued + was_spared > 0
        if counts and redis.call('HSETNX', KEYS[5], sid, outcome) == 1 then
            redis.call('HINCRBY', KEYS[4], outcome, 1)
            redis.call('HINCRBY', KEYS[6], 'cancellations:' .. outcome, 1)
            redis.call('PEXPIRE', KEYS[5], incident_ttl)
            redis.call('PEXPIRE', KEYS[4], incident_ttl)
        end
    end
end
if retired > 0 and ARGV[3] == '1' then
    -- It tells the CPS (domain/throughput.py).
    redis.call('HINCRBY', KEYS[1], 'departed', retired)
elseif retired > 0 then
    mark_dead_slots(KEYS[1])
end
return retired
