-- Count news of calls, each phase of each call once, and keep the mirror, buckets and horizon.
--
-- KEYS[1]   {account}:state     HASH   state, buckets, horizon, times
-- KEYS[2]   {account}:totals    HASH   counters since ever
-- KEYS[3]   {account}:series    HASH   a ring of per-second counts
-- KEYS[4]   {account}:queue     ZSET   queued calls that may be cancelled, by creation
-- KEYS[5]   {account}:spared    ZSET   queued calls that never are
-- KEYS[6]   {account}:incident  HASH   the open incident's counts
-- KEYS[7]   {account}:ledger    HASH   call -> outcome in the open incident
-- KEYS[7+i] {account}:call:SID  STRING phases seen of event i's call
-- ARGV[1] now ms              ARGV[2] door: callback or poll
-- ARGV[3] cps                 ARGV[4] ring size in seconds
-- ARGV[5] spike_rate          ARGV[6] most that its bucket holds
-- ARGV[7] initiated_rate      ARGV[8] most that its bucket holds
-- ARGV[9] min_backlog         ARGV[10] expiry of account keys ms
-- ARGV[11] expiry of a queued call ms      ARGV[12] expiry of a call that has left ms
-- ARGV[13] expiry of the incident ms
-- then six for each event: sid, status, phase bit, dialled (0/1), at ms, spared (0/1)
--
-- Returns {events counted, state fields, calls in queue, calls in spared}
local QUEUED, LEFT, DIALLED_PHASES, ABSENT = 1, 2, 30, 32
local FIXED_KEYS, FIRST, WIDTH = 7, 14, 6

local state_key, totals_key, series_key = KEYS[1], KEYS[2], KEYS[3]
local queue_key, spared_key, incident_key, ledger_key = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local door, cps, ring = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local min_backlog, account_ttl = tonumber(ARGV[9]), ARGV[10]
local queued_ttl, left_ttl, incident_ttl = ARGV[11], ARGV[12], ARGV[13]

local events = (#ARGV - FIRST + 1) / WIDTH
if events ~= #KEYS - FIXED_KEYS then
    return redis.error_reply('ERR observe_calls: one key per event is needed')
end

-- The order of store/snapshots.py, and the mode of the open incident last.
local state = redis.call('HMGET', state_key, 'state', 'paused', 'generation', 'tripped', 'cooled', 'capped',
    'q_level', 'q_updated', 'q_onset', 'i_level', 'i_updated', 'i_onset', 'horizon', 'polled', 'called_back',
    'shallow', 'suspect_rule', 'suspect_observed', 'suspect_threshold', 'suspect_setting', 'suspect_onset',
    'suspect_since', 'mode')
local Q_BUCKET, I_BUCKET, HORIZON, CALLED_BACK, SHALLOW, MODE = 7, 10, 13, 15, 16, 23
local incident_open = state[1] == 'tripped' or state[1] == 'draining' or state[1] == 'cooling'
local observing = state[MODE] == 'observe'

local function number(value) return tonumber(value or '0') or 0 end
local queued_bucket = {
    level = number(state[Q_BUCKET]), updated = number(state[Q_BUCKET + 1]),
    onset = number(state[Q_BUCKET + 2]), rate = tonumber(ARGV[5]) / 1000, most = tonumber(ARGV[6]),
}
local initiated_bucket = {
    level = number(state[I_BUCKET]), updated = number(state[I_BUCKET + 1]),
    onset = number(state[I_BUCKET + 2]), rate = tonumber(ARGV[7]) / 1000, most = tonumber(ARGV[8]),
}
local horizon = number(state[HORIZON])

-- The same arithmetic as domain/rates.py: one call more, in order of time.
local function advance(bucket, at)
    local level = math.max(0, bucket.level - bucket.rate * (at - bucket.updated))
    if level == 0 then bucket.onset = at end
    bucket.level, bucket.updated = math.min(level + 1, bucket.most), at
end

-- Calls older than the bucket's clock: into the bucket if it has not been empty since, else into one of
-- their own, which is added when all events are in.
local function pour(bucket, at)
    bucket.changed = true
    if at >= bucket.updated then
        advance(bucket, at)
    elseif bucket.level > 0 and at >= bucket.onset then
        bucket.level = math.min(bucket.level + 1, bucket.most)
    else
        bucket.late = bucket.late
            or { level = 0, updated = at, onset = at, rate = bucket.rate, most = bucket.most }
        advance(bucket.late, at)
    end
end

local function merge_late(bucket)
    if not bucket.late then return end
    local left = bucket.late.level - bucket.rate * (bucket.updated - bucket.late.updated)
    if left > 0 then
        bucket.level = math.min(bucket.level + left, bucket.most)
        bucket.onset = math.min(bucket.onset, bucket.late.onset)
    end
end

-- One second's count, kept as "second:count" so that an old lap of the ring reads as nothing.
local function tally(series, at)
    local second = math.floor(at / 1000)
    local field = series .. (second % ring)
    local held = redis.call('HGET', series_key, field)
    local held_second, count = 0, 0
    if held then
        held_second, count = string.match(held, '^(%d+):(%d+)$')
    end
    if tonumber(held_second) > second then return end
    if tonumber(held_second) < second then count = 0 end
    redis.call('HSET', series_key, field, string.format('%d:%d', second, tonumber(count) + 1))
    if tonumber(held_second) < second then redis.call('PEXPIRE', series_key, account_ttl) end
end

local function settle(sid, outcome)
    if redis.call('HSETNX', ledger_key, sid, outcome) == 1 then
        redis.call('HINCRBY', incident_key, outcome, 1)
        redis.call('HINCRBY', totals_key, 'cancellations:' .. outcome, 1)
        redis.call('PEXPIRE', ledger_key, incident_ttl)
        redis.call('PEXPIRE', incident_key, incident_ttl)
    end
end

local function mirror(sid, at, spared)
    local mirror_key = spared and spared_key or queue_key
    redis.call('ZADD', mirror_key, at, sid)
    redis.call('PEXPIRE', mirror_key, account_ttl)
end

-- A call that was only ever missed (in a list, or by a 404) and is listed again has not left after all.
local function enter_again(sid, at, spared)
    if redis.call('HGET', ledger_key, sid) == 'gone' then
        redis.call('HDEL', ledger_key, sid)
        redis.call('HINCRBY', incident_key, 'gone', -1)
    end
    mirror(sid, at, spared)
end

local function enter(sid, at, spared)
    mirror(sid, at, spared)
    if incident_open and observing and not spared then settle(sid, 'observed') end
end

local function leave(sid, status, dialled, spared, mirrored)
    local queued, was_spared = 0, 0
    if mirrored then
        queued = redis.call('ZREM', queue_key, sid)
        if queued == 0 then was_spared = redis.call('ZREM', spared_key, sid) end
    end
    if not incident_open or observing then return end
    if was_spared == 1 then
        settle(sid, 'spared')
    elseif dialled and not spared and (queued == 1 or status == 'initiated') then
        -- Without `initiated`, a call that we did not know of may have been dialled before the incident.
        settle(sid, 'dialled')
    elseif status == 'canceled' and queued == 1 then
        settle(sid, 'cancelled')
    end
end

local counted = 0
for i = 1, events do
    local at_arg = FIRST + (i - 1) * WIDTH
    local sid, status, bit_seen = ARGV[at_arg], ARGV[at_arg + 1], tonumber(ARGV[at_arg + 2])
    local dialled, at, spared = ARGV[at_arg + 3] == '1', tonumber(ARGV[at_arg + 4]), ARGV[at_arg + 5] == '1'
    local call_key = KEYS[FIXED_KEYS + i]
    local seen = number(redis.call('GET', call_key))
    if bit.band(seen, bit_seen) == 0 then
        counted = counted + 1
        redis.call('HINCRBY', totals_key, 'calls:' .. status, 1)
        if bit_seen == QUEUED then
            pour(queued_bucket, at)
            tally('q', at)
            horizon = math.max(horizon, at) + 1000 / cps
            if seen < LEFT then enter(sid, at, spared) end
        else
            if dialled and bit.band(seen, DIALLED_PHASES) == 0 then
                pour(initiated_bucket, at)
                tally('i', at)
            end
            if seen < LEFT then leave(sid, status, dialled, spared, seen == QUEUED) end
        end
        local now_seen = bit.bor(seen, bit_seen)
        redis.call('SET', call_key, now_seen, 'PX', now_seen < LEFT and queued_ttl or left_ttl)
    elseif door == 'poll' and bit_seen == QUEUED and seen == QUEUED + ABSENT then
        enter_again(sid, at, spared)
        redis.call('SET', call_key, QUEUED, 'PX', queued_ttl)
    end
end

local changes = {}
local function set(index, field, value)
    state[index] = value
    changes[#changes + 1] = field
    changes[#changes + 1] = value
end

local function set_bucket(index, prefix, bucket)
    if not bucket.changed then return end
    merge_late(bucket)
    set(index, prefix .. '_level', string.format('%.6f', bucket.level))
    set(index + 1, prefix .. '_updated', string.format('%.0f', bucket.updated))
    set(index + 2, prefix .. '_onset', string.format('%.0f', bucket.onset))
end

set_bucket(Q_BUCKET, 'q', queued_bucket)
set_bucket(I_BUCKET, 'i', initiated_bucket)
if queued_bucket.changed then
    set(HORIZON, 'horizon', string.format('%.3f', horizon))
end
if door == 'callback' then
    set(CALLED_BACK, 'called_back', ARGV[1])
    if counted > 0 then redis.call('HINCRBY', totals_key, 'callbacks:accepted', counted) end
    if counted < events then redis.call('HINCRBY', totals_key, 'callbacks:duplicate', events - counted) end
end
local cancellable, spared_count = redis.call('ZCARD', queue_key), redis.call('ZCARD', spared_key)
if cancellable < min_backlog then
    set(SHALLOW, 'shallow', ARGV[1])
end
if #changes > 0 then
    redis.call('HSET', state_key, unpack(changes))
end

return { counted, state, cancellable, spared_count }
