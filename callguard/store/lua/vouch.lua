-- Restore what a server has lost of people's decisions, and mark it as trusted: it may be acted on from now on.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:campaigns  KEYS[3] {account}:totals
-- KEYS[4] {account}:queue  KEYS[5] {account}:announced  KEYS[6] {account}:senders
-- ARGV[1] epoch that was read, empty for none  ARGV[2] decision that was read, likewise
-- ARGV[3] campaigns that were read: the state's own text of those that are open
-- ARGV[4] epoch  ARGV[5] decision  ARGV[6] said  ARGV[7] released ms  ARGV[8] generation  ARGV[9] losses
-- ARGV[10] was emptied (0/1)  ARGV[11] text of the open campaigns
-- ARGV[12] when the first campaign began that was lost ms, empty for none: queued calls since may be its calls
-- ARGV[13] expiry of campaigns ms  ARGV[14] expiry of account keys ms  ARGV[15] n
-- ARGV[16...15+n] the fields of the hold, all of them; then n values, empty for none; then id, JSON of campaigns
--
-- Returns 1; 0 if the state was changed since it was read
-- include parts/trust.lua
local state_key, n = KEYS[1], tonumber(ARGV[15])
local held = redis.call('HMGET', state_key, 'epoch', 'decision', 'campaigns', 'state', 'generation')
if (held[1] or '') ~= ARGV[1] or (held[2] or '') ~= ARGV[2]
    or (ARGV[11] ~= ARGV[3] and (held[3] or '') ~= ARGV[3]) then
    return 0
end

for i = 16, 15 + n do
    redis.call('HDEL', state_key, ARGV[i])
    if ARGV[i + n] ~= '' then redis.call('HSET', state_key, ARGV[i], ARGV[i + n]) end
end
redis.call('HSET', state_key, 'epoch', ARGV[4], 'server', server_id(), 'decision', ARGV[5], 'said', ARGV[6],
    'released', ARGV[7])
-- An open incident keeps its own number.
if (held[4] or 'armed') == 'armed' and tonumber(ARGV[8]) > (tonumber(held[5]) or 0) then
    redis.call('HSET', state_key, 'generation', ARGV[8])
end
-- Counts from when announced calls could not be told from others mean nothing.
if ARGV[10] == '1' then redis.call('HDEL', state_key, 'q', 'i', 'p', 'r', 'w', 'suspect', 'repeated_by') end
if ARGV[10] == '1' then redis.call('DEL', KEYS[6]) end

for i = 16 + 2 * n, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
if #ARGV >= 16 + 2 * n then redis.call('PEXPIRE', KEYS[2], ARGV[13]) end
if ARGV[11] ~= ARGV[3] then redis.call('HSET', state_key, 'campaigns', ARGV[11]) end
if ARGV[12] ~= '' then
    local calls = redis.call('ZRANGEBYSCORE', KEYS[4], ARGV[12], '+inf', 'WITHSCORES')
    for i = 1, #calls, 2 do
        redis.call('ZREM', KEYS[4], calls[i])
        redis.call('ZADD', KEYS[5], calls[i + 1], calls[i])
    end
    if #calls > 0 then redis.call('PEXPIRE', KEYS[5], ARGV[14]) end
end

-- The totals too show that the account was guarded before: they may outlive its state.
redis.call('HSET', KEYS[3], 'adopted', '1')
if ARGV[9] ~= '0' then redis.call('HSET', KEYS[3], 'state_lost', ARGV[9]) end
return 1
