-- Record what became of calls of a cancel run, each once.
--
-- KEYS[1] {account}:clearing  KEYS[2] {account}:clearing:left  KEYS[3] {account}:clearing:outcomes
-- ARGV[1] id  ARGV[2] expiry ms  ARGV[1+2i] SID of call i  ARGV[2+2i] its outcome
--
-- Returns 1; 0 if the cancel run is unknown, so that nothing may be cancelled for it
-- include parts/ledger.lua
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
    return 0
end
for place = 3, #ARGV, 2 do
    local sid = ARGV[place]
    if redis.call('ZREM', KEYS[2], sid) == 1 then record(KEYS[3], KEYS[1], sid, ARGV[place + 1]) end
end
if #ARGV > 2 then
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
end
return 1
