-- Note what a reading of Twilio's list showed: correct the horizons by it, and keep what was learned of the CPS.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:queue  KEYS[3] {account}:spared  KEYS[4] {account}:announced
-- KEYS[5] {account}:outside
-- ARGV[1] now ms  ARGV[2] cps  ARGV[3] min_backlog
-- ARGV[4] whole (0/1): the list was read to its end
-- ARGV[5] SID of the newest call with a quote, empty for none  ARGV[6] when it was to be dialled, ms
-- ARGV[7] believe (0/1): whether Twilio's quotes are believed
-- ARGV[8...11] with a whole list: window's begin, departed then, candidate, learned cps
-- ARGV[12] with a whole list: when its first page was asked for, ms
-- ARGV[13] with a whole list: the digest of the `never_cancel` under which it was read, or empty
--
-- Returns 1
-- include parts/numbers.lua
-- include parts/cps.lua
-- include parts/horizon.lua
-- include parts/campaigns.lua
-- include parts/mirror.lua

local state_key, mirror_keys = KEYS[1], { KEYS[2], KEYS[3], KEYS[4], KEYS[5] }
local now, configured, whole = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[4] == '1'

local held = redis.call('HMGET', state_key, 'horizon', 't', 'campaigns', 'dead_until')
local horizon, learned = horizon_of(held[1]), select(4, numbers(held[2]))
local counted = horizon.counted
local cps_before = effective_cps(configured, learned)
if whole then learned = number(ARGV[11]) end
local cps = effective_cps(configured, learned)

local depth, announced = depth_of(mirror_keys), redis.call('ZCARD', KEYS[4])
local cancellable = redis.call('ZCARD', KEYS[2])

-- The counted slots are as long as the CPS now believed says; without dead slots, there is one for each live
-- call.
if cps ~= cps_before and whole and now >= number(held[4]) then
    counted = now
elseif counted > now then
    counted = now + (counted - now) * cps_before / cps
end
-- Each live call needs a slot that is still to come: domain/drain_time.py, horizon_at_least.
horizon.counted = math.max(counted, now + depth * 1000 / cps)

-- Behind the quoted call are the calls created since; the mirror's order tells how many. If a call entering the
-- queue has brought a newer quote, the list's quote is ignored.
local created
for _, key in ipairs(mirror_keys) do
    created = created or redis.call('ZSCORE', key, ARGV[5])
end
if ARGV[5] ~= '' and created and tonumber(created) >= horizon.quoted_at then
    local behind = 0
    for _, key in ipairs(mirror_keys) do
        behind = behind + redis.call('ZCOUNT', key, '(' .. created, '+inf')
    end
    horizon.quoted, horizon.quoted_at = tonumber(ARGV[6]) + (1 + behind) * 1000 / cps, tonumber(created)
elseif ARGV[7] == '0' then
    horizon.quoted, horizon.quoted_at = 0, 0
end
redis.call('HSET', state_key, 'horizon', horizon_text(horizon))

if announced > 0 or open_campaigns(held[3], now).are_open then
    redis.call('HSET', state_key, 'campaign_at', ARGV[1])
end
if whole then
    redis.call('HSET', state_key, 'polled', ARGV[1], 't',
        table.concat({ ARGV[8], ARGV[9], ARGV[10], ARGV[11] }, ':'))
    if ARGV[13] ~= '' then redis.call('HSET', state_key, 'protection', ARGV[13]) end
    if cancellable + redis.call('ZCARD', KEYS[5]) < tonumber(ARGV[3]) then
        redis.call('HSET', state_key, 'shallow', ARGV[1], 'listed_short', ARGV[12])
    end
end
return 1
