-- Remove calls from the mirror that Twilio no longer lists. They come back only if it lists them again.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:spared
-- KEYS[4] {account}:incident  KEYS[5] {account}:ledger  KEYS[6] {account}:totals
-- KEYS[7] {account}:announced  KEYS[8] {account}:outside  KEYS[8+i] {account}:call:SID of call i
-- ARGV[1] expiry of a call that has left ms  ARGV[2] expiry of the incident ms
-- ARGV[3] were dialled (0/1), as far as known; else somebody has cancelled them
-- ARGV[3+i] SID of call i
--
-- Returns how many were in the mirror
-- include parts/states.lua
-- include parts/phases.lua
-- include parts/mirror.lua
-- include parts/ledger.lua
-- include parts/dead_slots.lua

local state = redis.call('HMGET', KEYS[1], 'state', 'mode')
local incident_open = is_open(state[1])
local left_ttl, incident_ttl = ARGV[1], ARGV[2]
local mirror_keys = { KEYS[2], KEYS[3], KEYS[7], KEYS[8] }
local ledger_keys = { ledger = KEYS[5], incident = KEYS[4], totals = KEYS[6] }
if #KEYS - 8 ~= #ARGV - 3 then
    return redis.error_reply('ERR retire: one key per call is needed')
end

-- Announced calls, and those that the incident is not about, are not in its ledger.
local OUTCOME_OF = { 'gone', 'spared' }
local retired = 0
for i = 1, #ARGV - 3 do
    local sid = ARGV[3 + i]
    local part = take_out(mirror_keys, sid)
    if part then
        retired = retired + 1
        note_left(KEYS[8 + i], ABSENT, left_ttl)
        local outcome = OUTCOME_OF[part]
        if outcome and incident_open and state[2] ~= 'observe' then
            settle(ledger_keys, incident_ttl, sid, outcome)
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
