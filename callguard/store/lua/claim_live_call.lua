-- Read the kill switch and claim a live call for one attempt, so that no other process acts on it meanwhile.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:call:SID  KEYS[3] {account}:live:SID
-- ARGV[1] generation  ARGV[2] now ms  ARGV[3] how long an attempt may take ms  ARGV[4] most attempts
-- ARGV[5] expiry ms  ARGV[6] whether a call without any earlier news may be claimed (0/1)
-- ARGV[7] the latest decision that the caller knows
--
-- {account}:live:SID is `left` (never touch it), `done`, or `attempts:until ms`
-- Returns yours, last, stopped, announced, unheard, known or waiting
-- include parts/states.lua
-- include parts/numbers.lua
-- include parts/phases.lua
-- include parts/trust.lua

local held = redis.call('HMGET', KEYS[1], 'state', 'paused', 'generation', 'mode', 'capped', 'lost')
local incident_open = is_open(held[1])
if held[6] or not is_trusted(KEYS[1], ARGV[7]) then return 'stopped' end
if not incident_open or held[2] == '1' or held[3] ~= ARGV[1] or held[4] == 'observe' or held[5] == '1' then
    return 'stopped'
end

local mark = redis.call('GET', KEYS[3])
if mark == 'left' or mark == 'done' then return 'known' end
local seen = number(redis.call('GET', KEYS[2]))
if bit.band(seen, ANNOUNCED) ~= 0 then return 'announced' end
if seen == 0 and ARGV[6] ~= '1' then return 'unheard' end

local attempts, till = numbers(mark)
local most = tonumber(ARGV[4])
if till > tonumber(ARGV[2]) then return 'waiting' end
if attempts >= most then return 'known' end
redis.call('SET', KEYS[3], string.format('%d:%d', attempts + 1, ARGV[2] + ARGV[3]), 'PX', ARGV[5])
return attempts + 1 < most and 'yours' or 'last'
