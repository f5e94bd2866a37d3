-- Number a person's decision. The numbers are times, so that the later of two separate decisions counts.
local function decide(state_key, now)
    -- A full server refuses a script's writes, unless it has begun with one that takes no room.
    redis.call('HDEL', state_key, 'none')
    local last = tonumber(redis.call('HGET', state_key, 'decision') or '0') or 0
    local number = string.format('%.0f', math.max(last + 1, tonumber(now)))
    redis.call('HSET', state_key, 'decision', number)
    return number
end
