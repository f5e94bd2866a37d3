-- Count calls that are still queued as to be cancelled, no longer as observed.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:incident  KEYS[4] {account}:ledger
-- ARGV[1] generation  ARGV[1+i] SID of call i
--
-- Returns how many they were
-- include parts/ledger.lua
local held = redis.call('HMGET', KEYS[1], 'generation', 'mode')
if held[1] ~= ARGV[1] or held[2] == 'observe' then
    return 0
end
local taken = 0
for i = 2, #ARGV do
    if redis.call('HGET', KEYS[4], ARGV[i]) == 'observed' and redis.call('ZSCORE', KEYS[2], ARGV[i]) then
        take_back(KEYS[4], KEYS[3], ARGV[i], 'observed')
        taken = taken + 1
    end
end
return taken
