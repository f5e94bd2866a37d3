-- Record the outcomes of calls, each once, in the incident of their generation, be it open or closed.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:incident
-- KEYS[4] {account}:ledger  KEYS[5] {account}:totals  KEYS[6] {account}:series
-- KEYS[7] {account}:incident:ID  KEYS[8] {account}:ledger:ID  of the generation, once it is closed
-- KEYS[9...11] the other parts of the mirror, which a call may have moved to meanwhile
-- KEYS[11+i] {account}:call:SID of call i
-- ARGV[1] generation  ARGV[2] now ms  ARGV[3] expiry of a call that has left ms  ARGV[4] expiry of the incident ms
-- ARGV[5] ring size in seconds  ARGV[6] expiry of account keys ms
-- then two for each call: SID, outcome
-- then the latest decision that the caller knows
--
-- Returns 1 if cancelling may go on, else 0; -1 if that is unknown until the state is restored (`vouch`)
-- include parts/states.lua
-- include parts/phases.lua
-- include parts/mirror.lua
-- include parts/ledger.lua
-- include parts/dead_slots.lua
-- include parts/series.lua
-- include parts/trust.lua

local trusted = is_trusted(KEYS[1], table.remove(ARGV))

local FIXED_KEYS, FIRST = 11, 7
local mirror_keys = { KEYS[2], KEYS[9], KEYS[10], KEYS[11] }
local generation, now, left_ttl, incident_ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local calls = (#ARGV - FIRST + 1) / 2
if calls ~= #KEYS - FIXED_KEYS then
    return redis.error_reply('ERR settle: one key per call is needed')
end

local held = redis.call('HMGET', KEYS[1], 'state', 'generation', 'paused', 'mode', 'lost')
local incident_open = is_open(held[1])
local is_present = incident_open and held[2] == generation
local incident_key = is_present and KEYS[3] or KEYS[7]
local ledger_key = is_present and KEYS[4] or KEYS[8]
local is_known = is_present or (calls > 0 and redis.call('EXISTS', incident_key) == 1)

local counted, gone, by_outcome, slots_died = 0, 0, {}, false
for i = 1, calls do
    local sid, outcome = ARGV[FIRST + 2 * i - 2], ARGV[FIRST + 2 * i - 1]
    local queued = 0
    if outcome ~= 'observed' then
        queued = take_out(mirror_keys, sid) and 1 or 0
        if outcome == 'gone' then gone = gone + queued end
        slots_died = slots_died or (queued == 1 and outcome == 'cancelled')
        -- "gone" says only that Twilio did not know the call; a list that shows it again is believed.
        note_left(KEYS[FIXED_KEYS + i], outcome == 'gone' and ABSENT or SETTLED, left_ttl)
    end
    -- A run that only observed may come late, after the mode has changed.
    local counts = is_known and not (outcome == 'observed' and is_present and held[4] ~= 'observe')
    local is_first = counts and record(ledger_key, incident_key, sid, outcome)
    local before = counts and not is_first and outcome ~= 'gone' and redis.call('HGET', ledger_key, sid)
    -- It was only observed until the mode changed, or it was taken for gone and its outcome is known now.
    if before == 'gone' or before == 'observed' and queued == 1 and held[4] ~= 'observe' then
        take_back(ledger_key, incident_key, sid, before)
        is_first = record(ledger_key, incident_key, sid, outcome)
        if before == 'gone' and not is_present then redis.call('HINCRBY', incident_key, 'remaining', 1) end
    end
    if is_first then
        counted = counted + 1
        by_outcome[outcome] = (by_outcome[outcome] or 0) + 1
        if outcome == 'cancelled' then tally('c', now) end
    end
end

if slots_died then mark_dead_slots(KEYS[1]) end
if gone > 0 then redis.call('HINCRBY', KEYS[1], 'departed', gone) end
if counted > 0 then
    for outcome, more in pairs(by_outcome) do redis.call('HINCRBY', KEYS[5], 'cancellations:' .. outcome, more) end
    if not is_present then redis.call('HINCRBY', incident_key, 'remaining', -counted) end
    redis.call('PEXPIRE', ledger_key, incident_ttl)
    redis.call('PEXPIRE', incident_key, incident_ttl)
    write_series(KEYS[6], tonumber(ARGV[5]), ARGV[6])
end
local may_cancel = held[1] == 'draining' and held[2] == generation and held[3] ~= '1'
    and held[4] ~= 'observe' and not held[5]
return not trusted and -1 or may_cancel and 1 or 0
