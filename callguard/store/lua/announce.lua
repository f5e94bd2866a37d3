-- Record an announced campaign, once.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:campaigns  HASH  id -> what was announced, and how it ended
-- ARGV[1] id  ARGV[2] the announcement as JSON  ARGV[3] hash of From, or empty  ARGV[4] until ms  ARGV[5] calls
-- ARGV[6] now ms  ARGV[7] expiry of the record ms  ARGV[8] most campaigns that may be open
--
-- Returns 1; 0 if it was known; -1 if too many are open
-- include parts/decide.lua
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
    return 0
end
local open = redis.call('HGET', KEYS[1], 'campaigns') or ''
local _, count = string.gsub(open, ';', ';')
if count >= tonumber(ARGV[8]) then
    return -1
end
decide(KEYS[1], ARGV[6])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
open = open .. string.format('%s,%s,%s,%s;', ARGV[1], ARGV[3], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'campaigns', open, 'campaign_at', ARGV[6])
return 1
