-- A bucket for each From number, as "level:updated:onset:the number, masked".
local function pour_sender(senders_key, kind, sender, shown, at, rate, most, ttl)
    if sender == '' then return end
    local field = kind .. sender
    local level, updated, onset
    local held = redis.call('HGET', senders_key, field)
    if held then
        level, updated, onset = string.match(held, '^([^:]*):([^:]*):([^:]*):')
    end
    local bucket = bucket_of(level, updated, onset, rate, most)
    pour(bucket, at)
    merge_late(bucket)
    redis.call('HSET', senders_key, field,
        string.format('%.3f:%.0f:%.0f:%s', bucket.level, bucket.updated, bucket.onset, shown))
    if not held then redis.call('PEXPIRE', senders_key, ttl) end
end
