-- Let a drain that has stopped at max_cancellations go on: the cap is counted anew from here.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:incident
-- ARGV[1] generation  ARGV[2] now ms  ARGV[3] who  ARGV[4] why
--
-- Returns 1 if the account is draining again, else 0
-- include parts/decide.lua
local held = redis.call('HMGET', KEYS[1], 'state', 'generation', 'capped')
if held[1] ~= 'cooling' or held[2] ~= ARGV[1] or held[3] ~= '1' then
    return 0
end
decide(KEYS[1], ARGV[2])
redis.call('HSET', KEYS[1], 'state', 'draining', 'capped', '0')
redis.call('HSET', KEYS[2], 'cap_from', redis.call('HGET', KEYS[2], 'cancelled') or '0',
    'continued', ARGV[2], 'continued_by', ARGV[3], 'continued_reason', ARGV[4])
return 1
