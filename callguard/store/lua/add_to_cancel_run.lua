-- Add calls that a list has shown. A call counts as found once; one that is settled stays so, unless its outcome
-- is among those that are tried again.
--
-- KEYS[1] {account}:clearing  KEYS[2] {account}:clearing:left  KEYS[3] {account}:clearing:outcomes
-- ARGV[1] id  ARGV[2] expiry ms  ARGV[3] outcomes to try again, each between commas, such as ",gone,failed,"
-- ARGV[1+3i] SID of call i  ARGV[2+3i] its creation ms  ARGV[3+3i] is it never cancelled (0/1)
--
-- Returns how many are new or tried again, how many of these are tried again, and how many were settled and are
-- listed still; nothing if the clearing is not known
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
    return {}
end
local fresh, again, over = 0, 0, 0

local function settle(sid, outcome)
    redis.call('HSET', KEYS[3], sid, outcome)
    redis.call('HINCRBY', KEYS[1], outcome, 1)
end

for place = 4, #ARGV, 3 do
    local sid, created, spared = ARGV[place], ARGV[place + 1], ARGV[place + 2] == '1'
    local outcome = redis.call('HGET', KEYS[3], sid)
    if spared and not outcome then
        -- Also a call that was to be cancelled until somebody put its number on the list.
        if redis.call('ZREM', KEYS[2], sid) == 0 then redis.call('HINCRBY', KEYS[1], 'found', 1) end
        settle(sid, 'spared')
    elseif not outcome then
        if redis.call('ZADD', KEYS[2], 'NX', created, sid) == 1 then
            redis.call('HINCRBY', KEYS[1], 'found', 1)
            fresh = fresh + 1
        end
    elseif not spared and string.find(ARGV[3], ',' .. outcome .. ',', 1, true) then
        redis.call('HDEL', KEYS[3], sid)
        redis.call('HINCRBY', KEYS[1], outcome, -1)
        redis.call('ZADD', KEYS[2], created, sid)
        fresh, again = fresh + 1, again + 1
    elseif outcome ~= 'spared' and outcome ~= 'failed' then
        over = over + 1
    end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
return { fresh, again, over }
