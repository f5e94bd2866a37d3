-- Record announced campaigns, all of them or none, each once.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:campaigns  HASH  id -> what was announced, and how it ended
-- ARGV[1] now ms  ARGV[2] expiry of the records ms  ARGV[3] most campaigns that may be open
-- ARGV[4...] for each: id, the announcement as JSON, hash of From or empty, until ms, calls
--
-- Returns how many were not known before; -1 if too many would be open
-- include parts/decide.lua
local FIELDS, new = 5, {}
for i = 4, #ARGV, FIELDS do
    if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then new[#new + 1] = i end
end
if #new == 0 then
    return 0
end
local open = redis.call('HGET', KEYS[1], 'campaigns') or ''
local _, count = string.gsub(open, ';', ';')
if count + #new > tonumber(ARGV[3]) then
    return -1
end
decide(KEYS[1], ARGV[1])
for _, i in ipairs(new) do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    open = open .. string.format('%s,%s,%s,%s;', ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'campaigns', open, 'campaign_at', ARGV[1])
return #new
