-- Clear the kill switch, and the guard's doubt about lost decisions.
--
-- KEYS[1] {account}:state
-- ARGV[1] now ms  ARGV[2] who  ARGV[3] why  ARGV[4] only the pause that began then, ms; empty for any
--
-- Returns 1 if the guard was held back, else 0
-- include parts/decide.lua
local held = redis.call('HMGET', KEYS[1], 'paused', 'lost', 'paused_since')
local was_held = held[1] == '1' or held[2] ~= false
if ARGV[4] ~= '' and (held[1] ~= '1' or held[3] ~= ARGV[4]) then
    return 0
end
local number = decide(KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], 'lost', 'paused', 'paused_since', 'paused_by', 'paused_reason', 'paused_until')
if was_held then
    redis.call('HSET', KEYS[1], 'resumed_since', ARGV[1], 'resumed_by', ARGV[2], 'resumed_reason', ARGV[3])
end
redis.call('HSET', KEYS[1], 'said', number)
return was_held and 1 or 0
