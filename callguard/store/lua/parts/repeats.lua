-- The latest calls to one telephone. What is remembered is the telephone that was called most often lately.
local function count_repeat(repeats, times_key, at, limit, window, least)
    local kept = redis.call('LPUSH', times_key, string.format('%.0f', at))
    redis.call('PEXPIRE', times_key, window)
    if kept < least then return end
    redis.call('LTRIM', times_key, 0, limit - 1)
    local count, since = 0, at
    for _, time in ipairs(redis.call('LRANGE', times_key, 0, -1)) do
        if tonumber(time) >= at - window then
            count, since = count + 1, math.min(since, tonumber(time))
        end
    end
    if count >= least and (count >= repeats.count or at - repeats.at > window) then
        repeats.changed, repeats.count, repeats.since, repeats.at = true, count, since, at
    end
end
