-- Move queued calls to the other half of the mirror: `never_cancel` has changed, or their numbers are known now.
--
-- KEYS[1] from: {account}:queue or {account}:spared  KEYS[2] to: the other  KEYS[2+i] {account}:call:SID of call i
-- ARGV[1] expiry ms  then two for each call: SID, hash of From
--
-- Returns how many were moved
-- include parts/mirror.lua
-- include parts/numbers.lua
-- include parts/scope.lua
local moved = 0
for i = 2, #ARGV, 2 do
    local sid, call_key = ARGV[i], KEYS[2 + i / 2]
    if move(KEYS[1], KEYS[2], sid) then
        moved = moved + 1
        local seen = number(redis.call('GET', call_key))
        if seen > 0 and seen < PHASES then
            redis.call('SET', call_key, seen + mark_of(ARGV[i + 1]) * PHASES, 'KEEPTTL')
        end
    end
end
if moved > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
return moved
