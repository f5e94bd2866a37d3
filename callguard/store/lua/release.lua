-- Turn queued calls of an announced campaign into ordinary ones, after a wrong announcement.
--
-- KEYS[1] {account}:announced  KEYS[2] {account}:queue  KEYS[3] {account}:state
-- KEYS[4] {account}:campaigns  HASH  id -> what was announced, how it ended, and whether it was released
-- ARGV[1] expiry ms  ARGV[2] now ms  ARGV[3] id  ARGV[4...] SIDs of the calls
--
-- Returns how many of them were announced and queued
-- include parts/decide.lua
-- include parts/mirror.lua
decide(KEYS[3], ARGV[2])
local record = redis.call('HGET', KEYS[4], ARGV[3])
if record then
    local released = cjson.decode(record)
    released.released_ms = tonumber(ARGV[2])
    redis.call('HSET', KEYS[4], ARGV[3], cjson.encode(released))
end
local moved = 0
for i = 4, #ARGV do
    if move(KEYS[1], KEYS[2], ARGV[i]) then moved = moved + 1 end
end
if moved > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
return moved
