-- Record an announced campaign, once.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:campaigns  HASH  id -> what was announced, and how it ended
-- ARGV[1] id  ARGV[2] the announcement as JSON  ARGV[3] hash of From, or empty  ARGV[4] until ms  ARGV[5] calls
-- ARGV[6] now ms  ARGV[7] expiry of the record ms
--
-- Returns 1, or 0 if it was known
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 0 then
    return 0
end
redis.call('PEXPIRE', KEYS[2], ARGV[7])
local open = redis.call('HGET', KEYS[1], 'campaigns') or ''
open = open .. string.format('%s,%s,%s,%s;', ARGV[1], ARGV[3], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'campaigns', open, 'campaign_at', ARGV[6])
return 1
