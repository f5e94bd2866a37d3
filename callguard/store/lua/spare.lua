-- Move queued calls to the other half of the mirror, since `never_cancel` has changed.
--
-- KEYS[1] from: {account}:queue or {account}:spared  KEYS[2] to: the other
-- ARGV[1] expiry ms  ARGV[1+i] SID of call i
--
-- Returns how many were moved
local moved = 0
for i = 2, #ARGV do
    local created = redis.call('ZSCORE', KEYS[1], ARGV[i])
    if created then
        redis.call('ZREM', KEYS[1], ARGV[i])
        redis.call('ZADD', KEYS[2], created, ARGV[i])
        moved = moved + 1
    end
end
if moved > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
return moved
