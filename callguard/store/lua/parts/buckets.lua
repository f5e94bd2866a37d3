-- Leaky buckets: the same arithmetic as domain/rates.py.
-- include parts/numbers.lua
local function bucket_of(text, rate, most)
    local level, updated, onset = numbers(text)
    return { level = level, updated = updated, onset = onset, rate = tonumber(rate) / 1000, most = tonumber(most) }
end

-- Add one call, in order of time.
local function advance(bucket, at)
    local level = math.max(0, bucket.level - bucket.rate * (at - bucket.updated))
    if level == 0 then bucket.onset = at end
    bucket.level, bucket.updated = math.min(level + 1, bucket.most), at
end

-- Calls older than the bucket's clock: into the bucket if it has not been empty since, else into a bucket
-- of their own, which is added when all events are in.
local function pour(bucket, at)
    bucket.changed = true
    if at >= bucket.updated then
        advance(bucket, at)
    elseif bucket.level > 0 and at >= bucket.onset then
        bucket.level = math.min(bucket.level + 1, bucket.most)
    else
        bucket.late = bucket.late
            or { level = 0, updated = at, onset = at, rate = bucket.rate, most = bucket.most }
        advance(bucket.late, at)
    end
end

local function merge_late(bucket)
    if not bucket.late then return end
    local left = bucket.late.level - bucket.rate * (bucket.updated - bucket.late.updated)
    if left > 0 then
        bucket.level = math.min(bucket.level + left, bucket.most)
        bucket.onset = math.min(bucket.onset, bucket.late.onset)
    end
    bucket.late = nil
end

local function bucket_text(bucket)
    return string.format('%.4f:%d:%d', bucket.level, bucket.updated, bucket.onset)
end
