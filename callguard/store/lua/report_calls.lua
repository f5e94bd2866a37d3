-- Note calls reported by their creators. No rule counts them until Twilio confirms them.
--
-- They count as soon as Twilio tells of them by its list, a callback or an event (observe_calls.lua), or once
-- some of them were looked up (detect/reported_calls.py). A report may only cause that look.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:unconfirmed  KEYS[2+i] {account}:call:SID of call i
-- ARGV[1] cps  ARGV[2] spike_rate  ARGV[3] most that its bucket holds  ARGV[4] expiry of account keys ms
-- then four for each call: SID, creation ms, queue_time ms or empty, what is reported of it (store/reports.py)
--
-- Returns {how many of the calls were new, whether they would cross the rule `spike` if they were true (0/1)}
-- include parts/numbers.lua
-- include parts/cps.lua
-- include parts/buckets.lua
-- include parts/horizon.lua
local held = redis.call('HMGET', KEYS[1], 'u', 'horizon', 't')
local bucket, horizon = bucket_of(held[1], ARGV[2], ARGV[3]), horizon_of(held[2])
horizon.slot = 1000 / effective_cps(tonumber(ARGV[1]), select(4, numbers(held[3])))

local counted = 0
for i = 1, #KEYS - 2 do
    local sid, at, queue_ms = ARGV[1 + 4 * i], tonumber(ARGV[2 + 4 * i]), tonumber(ARGV[3 + 4 * i])
    if redis.call('EXISTS', KEYS[2 + i]) == 0 and redis.call('HSETNX', KEYS[2], sid, ARGV[4 + 4 * i]) == 1 then
        counted = counted + 1
        pour(bucket, at)
        -- A made-up wait only makes the estimate wrong until the call is dropped. A wait of 0 is not believed:
        -- observe_calls.lua tells why.
        lengthen_queue(horizon, at, queue_ms ~= 0 and queue_ms or nil)
    end
end
if counted > 0 then
    merge_late(bucket)
    redis.call('HSET', KEYS[1], 'u', bucket_text(bucket), 'horizon', horizon_text(horizon))
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return { counted, bucket.level * 2 >= bucket.most and 1 or 0 }
