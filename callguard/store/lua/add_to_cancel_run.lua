-- Add calls that a list has shown. A call counts as found once. A settled call stays settled, unless its outcome
-- is among those to try again.
--
-- KEYS[1] {account}:clearing  KEYS[2] {account}:clearing:left  KEYS[3] {account}:clearing:outcomes
-- ARGV[1] id  ARGV[2] expiry ms  ARGV[3] outcomes to try again, each between commas, such as ",gone,failed,"
-- ARGV[1+3i] SID of call i  ARGV[2+3i] its creation ms  ARGV[3+3i] is it never cancelled (0/1)
--
-- Returns how many are new or tried again, how many of these are tried again, and how many were settled and are
-- listed still; nothing if the cancel run is unknown
-- include parts/ledger.lua
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
    return {}
end
local fresh, again, over = 0, 0, 0

for place = 4, #ARGV, 3 do
    local sid, created, protected = ARGV[place], ARGV[place + 1], ARGV[place + 2] == '1'
    local outcome = redis.call('HGET', KEYS[3], sid)
    if protected and not outcome then
        -- Also a call that was to be cancelled, until its number was put on the `never_cancel` list.
        redis.call('ZREM', KEYS[2], sid)
        record(KEYS[3], KEYS[1], sid, 'spared')
    elseif not outcome then
        fresh = fresh + redis.call('ZADD', KEYS[2], 'NX', created, sid)
    elseif not protected and string.find(ARGV[3], ',' .. outcome .. ',', 1, true) then
        take_back(KEYS[3], KEYS[1], sid, outcome)
        redis.call('ZADD', KEYS[2], created, sid)
        fresh, again = fresh + 1, again + 1
    elseif outcome ~= 'spared' and outcome ~= 'failed' then
        over = over + 1
    end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
return { fresh, again, over }
