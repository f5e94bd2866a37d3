-- A bucket for each From number, as "level:updated:onset:the number, masked". Each is read and written once.
-- include parts/buckets.lua
local poured_senders = {}

local function pour_sender(senders_key, kind, sender, shown, at, rate, most)
    if sender == '' then return end
    local field = kind .. sender
    local bucket = poured_senders[field]
    if not bucket then
        local held = redis.call('HGET', senders_key, field)
        bucket = bucket_of(held, rate, most)
        bucket.shown, bucket.is_new = shown, not held
        poured_senders[field] = bucket
    end
    pour(bucket, at)
end

local function write_senders(senders_key, ttl)
    for field, bucket in pairs(poured_senders) do
        merge_late(bucket)
        redis.call('HSET', senders_key, field, bucket_text(bucket) .. ':' .. bucket.shown)
        if bucket.is_new then redis.call('PEXPIRE', senders_key, ttl) end
    end
end
