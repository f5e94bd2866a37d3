-- Counts of a second, kept as "second:count" so that an old lap of the ring reads as nothing. They are gathered
-- while the script runs, and written once.
-- include parts/numbers.lua
local tallied = {}

local function tally(series, at)
    local second = math.floor(at / 1000)
    local of_series = tallied[series] or {}
    tallied[series] = of_series
    of_series[second] = (of_series[second] or 0) + 1
end

local function write_second(series_key, field, second, more, ttl)
    local held_second, count = numbers(redis.call('HGET', series_key, field))
    if held_second > second then return end
    if held_second < second then count = 0 end
    redis.call('HSET', series_key, field, string.format('%d:%d', second, count + more))
    if held_second < second then redis.call('PEXPIRE', series_key, ttl) end
end

local function write_series(series_key, ring, ttl)
    for series, of_series in pairs(tallied) do
        for second, more in pairs(of_series) do
            write_second(series_key, series .. (second % ring), second, more, ttl)
        end
    end
end
