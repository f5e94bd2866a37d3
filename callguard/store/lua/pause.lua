-- Set the kill switch. A later pause takes the place of an earlier one.
--
-- KEYS[1] {account}:state
-- ARGV[1] now ms  ARGV[2] who  ARGV[3] why  ARGV[4] until ms, empty for until `resume`
--
-- Returns 1
-- include parts/decide.lua
local number = decide(KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], 'lost', 'resumed_since', 'resumed_by', 'resumed_reason', 'paused_until')
redis.call('HSET', KEYS[1], 'paused', '1', 'paused_since', ARGV[1], 'paused_by', ARGV[2], 'paused_reason', ARGV[3],
    'said', number)
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'paused_until', ARGV[4]) end
return 1
