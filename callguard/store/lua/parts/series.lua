-- One second's count, kept as "second:count" so that an old lap of the ring reads as nothing.
local function tally(series_key, series, at, ring, ttl)
    local second = math.floor(at / 1000)
    local field = series .. (second % ring)
    local held = redis.call('HGET', series_key, field)
    local held_second, count = 0, 0
    if held then
        held_second, count = string.match(held, '^(%d+):(%d+)$')
    end
    if tonumber(held_second) > second then return end
    if tonumber(held_second) < second then count = 0 end
    redis.call('HSET', series_key, field, string.format('%d:%d', second, tonumber(count) + 1))
    if tonumber(held_second) < second then redis.call('PEXPIRE', series_key, ttl) end
end
