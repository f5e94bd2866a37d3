-- The latest calls to one destination. Only the destination called most often lately is remembered.
-- include parts/numbers.lua
local function repeats_of(text)
    local count, since, at = numbers(text)
    return { count = count, since = since, at = at }
end

local function repeats_text(repeats)
    return string.format('%d:%d:%d', repeats.count, repeats.since, repeats.at)
end

-- Return how many of the latest calls are within the window, and since when.
local function within_window(times_key, from, limit)
    local first = tonumber(redis.call('LINDEX', times_key, limit - 1) or '0')
    if first >= from then return limit, first end
    local count, since = 0, nil
    for _, time in ipairs(redis.call('LRANGE', times_key, 0, limit - 1)) do
        time = tonumber(time)
        if time >= from then
            count, since = count + 1, math.min(since or time, time)
        end
    end
    return count, since
end

-- Most destinations are called once: then the key is a string, which takes less room than a list of one.
local function push_time(times_key, at, window)
    local time = string.format('%d', at)
    if redis.call('SET', times_key, time, 'NX', 'PX', window) then return 1 end
    if redis.call('TYPE', times_key).ok == 'string' then
        local first = redis.call('GETDEL', times_key)
        redis.call('LPUSH', times_key, first)
    end
    local kept = redis.call('LPUSH', times_key, time)
    redis.call('PEXPIRE', times_key, window)
    return kept
end

local function count_repeat(repeats, times_key, at, limit, window, least, sender)
    local kept = push_time(times_key, at, window)
    if kept > limit then redis.call('LTRIM', times_key, 0, limit - 1) end
    -- Most destinations are called now and then: one look shows that the calls are too few to matter.
    if kept < least or tonumber(redis.call('LINDEX', times_key, least - 1)) < at - window then return end
    local count, since = within_window(times_key, at - window, limit)
    if count >= least and (count >= repeats.count or at - repeats.at > window) then
        repeats.changed, repeats.count, repeats.since, repeats.at = true, count, since, at
        repeats.sender = sender
    end
end
