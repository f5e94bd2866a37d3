-- Forget reported calls that Twilio does not know, and the slots counted for them.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:unconfirmed  KEYS[3] {account}:totals
-- ARGV[1] now ms  ARGV[2] cps  ARGV[2+i] SID of call i
--
-- Returns how many were forgotten
-- include parts/numbers.lua
-- include parts/cps.lua
-- include parts/horizon.lua
local held = redis.call('HMGET', KEYS[1], 'horizon', 't')
local now, horizon = tonumber(ARGV[1]), horizon_of(held[1])
local cps = effective_cps(tonumber(ARGV[2]), select(4, numbers(held[2])))
local forgotten = 0
for i = 3, #ARGV do forgotten = forgotten + redis.call('HDEL', KEYS[2], ARGV[i]) end
if forgotten > 0 then
    redis.call('HINCRBY', KEYS[3], 'reports:client:unknown', forgotten)
    horizon.counted = math.max(now, horizon.counted - forgotten * 1000 / cps)
    horizon.quoted, horizon.quoted_at = 0, 0 -- the quote may have been theirs; the next list has another
    -- The bucket stays, even if empty: it tells observe_calls.lua that calls were reported.
    redis.call('HSET', KEYS[1], 'horizon', horizon_text(horizon), 'u', string.format('0:%.0f:%.0f', now, now))
end
return forgotten
