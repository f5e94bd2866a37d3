-- Take a notice out of the outbox and count what became of it, once.
--
-- KEYS[1] the outbox  STREAM  KEYS[2] {notices}:taken  HASH  KEYS[3] {notices}:results  HASH
-- ARGV[1] id  ARGV[2] result, empty for one that is not counted  ARGV[3] expiry of the results ms
--
-- Returns 1 if it was there, else 0
redis.call('HDEL', KEYS[2], ARGV[1])
local was_there = redis.call('XDEL', KEYS[1], ARGV[1])
if was_there == 1 and ARGV[2] ~= '' then
    redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
    redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return was_there
