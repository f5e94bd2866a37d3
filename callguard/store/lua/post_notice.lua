-- Put a notice into the outbox, unless it, or another under the same name, was put there lately.
--
-- KEYS[1] the outbox  STREAM  KEYS[2] {notices}:told:*  STRING  the digest of the notice that was posted
-- KEYS[3] {notices}:results  HASH  result -> count
-- ARGV[1] digest  ARGV[2] for how long no other is posted under the same name, ms
-- ARGV[3] most notices in the outbox  ARGV[4] expiry of the outbox ms
-- ARGV[5] account SID  ARGV[6] kind  ARGV[7] text  ARGV[8] at ms
--
-- Returns {1 if this notice was posted, now or by an earlier try, else 0; how many of the oldest were dropped}
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return { redis.call('GET', KEYS[2]) == ARGV[1] and 1 or 0, 0 }
end
redis.call('XADD', KEYS[1], '*', 'account_sid', ARGV[5], 'kind', ARGV[6], 'text', ARGV[7], 'at_ms', ARGV[8])
local dropped = redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if dropped > 0 then
    redis.call('HINCRBY', KEYS[3], 'dropped', dropped)
    redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
return { 1, dropped }
