-- Let a live call be claimed again at once. Not if it has been settled or left alone meanwhile.
--
-- KEYS[1] {account}:live:SID
-- ARGV[1] whether the attempt was spent and counts (0/1)  ARGV[2] expiry ms
--
-- Returns how many attempts it had
-- include parts/numbers.lua
local attempts = numbers(redis.call('GET', KEYS[1]))
if attempts > 0 then
    local made = ARGV[1] == '1' and attempts or attempts - 1
    redis.call('SET', KEYS[1], string.format('%d:0', made), 'PX', ARGV[2])
end
return attempts
