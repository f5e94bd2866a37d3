-- Move calls between those that the open incident is about and those that it leaves alone.
--
-- KEYS[1] {account}:state  KEYS[2] from: {account}:queue or {account}:outside  KEYS[3] to: the other
-- KEYS[3+i] {account}:call:SID of call i
-- ARGV[1] what to move: calls in scope (1) or out of it (0)  ARGV[2] expiry ms  ARGV[2+i] SID of call i
--
-- Returns the SIDs that stay where they are
-- include parts/mirror.lua
-- include parts/numbers.lua
-- include parts/scope.lua
local scope = scope_of(redis.call('HGET', KEYS[1], 'scope'))
local stay, moved = {}, 0
for i = 3, #ARGV do
    local sid = ARGV[i]
    local created = redis.call('ZSCORE', KEYS[2], sid)
    if created then
        local seen = number(redis.call('GET', KEYS[i + 1]))
        if is_in_scope(scope, tonumber(created), mark_in(seen)) == (ARGV[1] == '1') then
            move(KEYS[2], KEYS[3], sid)
            moved = moved + 1
        else
            stay[#stay + 1] = sid
        end
    end
end
if moved > 0 then redis.call('PEXPIRE', KEYS[3], ARGV[2]) end
return stay
