-- Forget the From numbers whose calls have leaked away.
--
-- KEYS[1] {account}:senders
-- ARGV[1] now ms  ARGV[2] spike_rate  ARGV[3] initiated_rate
--
-- Returns how many were forgotten
local now, forgotten = tonumber(ARGV[1]), 0
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
    local level, updated = string.match(held[i + 1], '^([^:]*):([^:]*):')
    local rate = tonumber(string.sub(held[i], 1, 1) == 'q' and ARGV[2] or ARGV[3]) / 1000
    if tonumber(level) - rate * math.max(0, now - tonumber(updated)) <= 0 then
        redis.call('HDEL', KEYS[1], held[i])
        forgotten = forgotten + 1
    end
end
return forgotten
