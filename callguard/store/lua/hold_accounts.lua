-- Keep the accounts that a watcher has, and take its part of those that no watcher has.
--
-- KEYS[1] watchers  ZSET  watcher by the end of its lease (ms of the server's clock)
-- KEYS[2] accounts  HASH  account -> its watcher, or ":" and since when (ms) it waits to be taken
-- KEYS[3] short     ZSET  watcher that has less than its part, by when it last said so, ms
-- ARGV[1] watcher  ARGV[2] lease ms  ARGV[3] expiry of the keys ms
-- ARGV[4] how many accounts it gives back; then those; then all that it would watch
--
-- Returns {how many it should give back, account that it has, ...}
local SLICE = 1000
local owner, lease, first = ARGV[1], tonumber(ARGV[2]), 5 + tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- Such a lease is from before the clock was set back: a living watcher takes it anew.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now + lease), '+inf')
redis.call('ZADD', KEYS[1], now + lease, owner)
local watchers, alive = redis.call('ZRANGE', KEYS[1], 0, -1), {}
for _, watcher in ipairs(watchers) do alive[watcher] = true end
local part = math.ceil((#ARGV - first + 1) / #watchers)

for i = 5, first - 1 do
    if redis.call('HGET', KEYS[2], ARGV[i]) == owner then
        redis.call('HSET', KEYS[2], ARGV[i], ':' .. string.format('%.0f', now))
    end
end

-- An account that another watcher does not take, perhaps as it does not know it, is soon taken by this one.
local mine, free = {}, {}
local function sort(account, holder)
    local since = holder and string.match(holder, '^:(%d+)')
    if holder == owner then
        mine[#mine + 1] = account
    elseif since or not holder or not alive[holder] then
        local is_late = since and math.abs(now - since) >= lease
        free[#free + 1] = { account = account, since = tonumber(since), is_late = is_late }
    end
end
for i = first, #ARGV, SLICE do
    local last = math.min(i + SLICE - 1, #ARGV)
    local holders = redis.call('HMGET', KEYS[2], unpack(ARGV, i, last))
    for j = i, last do sort(ARGV[j], holders[j - i + 1]) end
end
for _, one in ipairs(free) do
    if #mine < part or one.is_late then
        redis.call('HSET', KEYS[2], one.account, owner)
        mine[#mine + 1] = one.account
    elseif not one.since then
        redis.call('HSET', KEYS[2], one.account, ':' .. string.format('%.0f', now))
    end
end

redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - lease)
redis.call('ZREM', KEYS[3], owner)
local others_are_short = redis.call('ZCARD', KEYS[3]) > 0
if #mine < part then redis.call('ZADD', KEYS[3], now, owner) end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
table.insert(mine, 1, others_are_short and math.max(0, #mine - part) or 0)
return mine
