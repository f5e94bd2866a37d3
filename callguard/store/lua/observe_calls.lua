-- Count news of calls, each phase of each call once, and keep the mirror, buckets and horizons.
--
-- KEYS[1] {account}:state      HASH  state, generation, buckets, horizons, times
-- KEYS[2] {account}:totals     HASH  counters since ever
-- KEYS[3] {account}:series     HASH  a ring of per-second counts
-- KEYS[4] {account}:queue      ZSET  queued calls that may be cancelled, by creation
-- KEYS[5] {account}:spared     ZSET  queued calls that are never cancelled
-- KEYS[6] {account}:announced  ZSET  queued calls of announced campaigns
-- KEYS[7] {account}:incident   HASH  the open incident's counts
-- KEYS[8] {account}:ledger     HASH  call -> outcome in the open incident
-- KEYS[9] {account}:senders    HASH  a bucket for each From number
-- KEYS[10] {account}:outside   ZSET  queued calls that the open incident is not about
-- KEYS[11] {account}:unconfirmed HASH calls that only their creators have reported
-- then two for each event: {account}:call:SID  STRING  phases seen, and above them a mark of From
--                          {account}:to:HASH   LIST    latest calls to the destination
-- ARGV[1] now ms              ARGV[2] source: callback, poll or report
-- ARGV[3] cps                 ARGV[4] ring size in seconds
-- ARGV[5] spike_rate          ARGV[6] most that its bucket holds
-- ARGV[7] initiated_rate      ARGV[8] most that its bucket holds
-- ARGV[9] min_backlog         ARGV[10] expiry of account keys ms
-- ARGV[11] expiry of a queued call ms      ARGV[12] expiry of a call that has left ms
-- ARGV[13] expiry of the incident ms       ARGV[14] repeat_limit
-- ARGV[15] repeat window ms   ARGV[16] least calls to one destination that matter
-- ARGV[17] plateau_seconds    ARGV[18] max_backlog    ARGV[19] max_drain_seconds
-- ARGV[20] (0/1): return no state if no rule can have been crossed
-- ARGV[21] how long before an onset a scope begins, ms    ARGV[22] warn_share
-- then nine for each event: sid, status, at ms, protected (0; 1; 2: for certain), queue_time ms or empty, hash of From,
--                           From masked, hash of To or empty, doubtful (0/1)
--
-- Returns {events counted, state fields, calls in queue, protected, in announced, out of scope, unconfirmed}, or
--         {events counted, whether a rule may have reached its warn level (0/1)}
-- include parts/states.lua
-- include parts/phases.lua
-- include parts/numbers.lua
-- include parts/cps.lua
-- include parts/buckets.lua
-- include parts/plateau.lua
-- include parts/horizon.lua
-- include parts/series.lua
-- include parts/senders.lua
-- include parts/repeats.lua
-- include parts/campaigns.lua
-- include parts/scope.lua
-- include parts/ledger.lua
-- include parts/mirror.lua

local FIXED_KEYS, FIRST, WIDTH = 11, 23, 9

local state_key, totals_key, series_key = KEYS[1], KEYS[2], KEYS[3]
local queue_key, protected_key, announced_key = KEYS[4], KEYS[5], KEYS[6]
local incident_key, ledger_key, senders_key, out_of_scope_key = KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local unconfirmed_key = KEYS[11]
local mirror_keys = { queue_key, protected_key, announced_key, out_of_scope_key }
local ledger_keys = { ledger = ledger_key, incident = incident_key, totals = totals_key }
local now, source, ring = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local min_backlog, account_ttl = tonumber(ARGV[9]), ARGV[10]
local queued_ttl, left_ttl, incident_ttl = ARGV[11], ARGV[12], ARGV[13]
local repeat_limit, repeat_window, repeat_least = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])

local events = (#ARGV - FIRST + 1) / WIDTH
if events * 2 ~= #KEYS - FIXED_KEYS then
    return redis.error_reply('ERR observe_calls: two keys per event are needed')
end

-- include parts/state_fields.lua
local state = redis.call('HMGET', state_key, unpack(FIELDS))
local incident_open = is_open(state[1])
local observing = state[MODE] == 'observe'
local cps = effective_cps(tonumber(ARGV[3]), select(4, numbers(state[THROUGHPUT])))
local queued_bucket = bucket_of(state[Q], ARGV[5], ARGV[6])
local initiated_bucket = bucket_of(state[I], ARGV[7], ARGV[8])
local plateau, wake, repeats = line_of(state[P]), line_of(state[W]), repeats_of(state[R])
local horizon = horizon_of(state[HORIZON])
horizon.slot = 1000 / cps
local departed, dead_until = number(state[DEPARTED]), number(state[DEAD_UNTIL])
local campaigns = open_campaigns(state[CAMPAIGNS], now)
local scope = incident_open and scope_of(redis.call('HGET', state_key, 'scope'))

local function is_out_of_scope(call)
    return scope and not is_in_scope(scope, call.at, mark_of(call.sender))
end

local function mirror(call)
    -- A protected call stays protected if its campaign is released.
    local mirror_key = call.surely_protected and protected_key or call.announced and announced_key
        or call.protected and protected_key or is_out_of_scope(call) and out_of_scope_key or queue_key
    redis.call('ZADD', mirror_key, call.at, call.sid)
    redis.call('PEXPIRE', mirror_key, account_ttl)
end

-- A call that was only missed (in a list, or by a 404) and is listed again has not left the queue.
local function enter_again(call)
    local outcome = redis.call('HGET', ledger_key, call.sid)
    if outcome == 'gone' or outcome == 'spared' then
        take_back(ledger_key, incident_key, call.sid, outcome)
    end
    departed = departed - 1
    mirror(call)
end

local function enter(call)
    mirror(call)
    if incident_open and observing and not (call.protected or call.announced or is_out_of_scope(call)) then
        settle(ledger_keys, incident_ttl, call.sid, 'observed')
    end
end

local function leave(call, mirrored, mark)
    local part
    if mirrored then
        local created = scope and redis.call('ZSCORE', queue_key, call.sid)
        call.was_out_of_scope = created and not is_in_scope(scope, tonumber(created), mark)
        part = take_out(mirror_keys, call.sid)
    end
    local queued, was_protected = part == 1, part == 2
    local was_other = part and not queued and not was_protected
    if call.status == 'canceled' and part then
        dead_until = math.max(dead_until, horizon_now(horizon))
    end
    -- Announced, but in the queue: its campaign was released.
    if not incident_open or was_other or call.was_out_of_scope then return end
    if call.announced and not (queued or was_protected) then return end
    if was_protected then
        settle(ledger_keys, incident_ttl, call.sid, 'spared')
    elseif observing and state[UNQUEUED] ~= '1' then
        return
    elseif call.dialled and (queued
        or call.status == 'initiated' and not call.protected and not is_out_of_scope(call)) then
        -- Without `initiated`, an unknown call may have been dialled before the incident.
        settle(ledger_keys, incident_ttl, call.sid, 'dialled')
    elseif call.status == 'canceled' and queued then
        settle(ledger_keys, incident_ttl, call.sid, 'cancelled')
    end
end

-- A quote of no wait, for a call behind more than a second of other calls, cannot be true.
local function believable(queue_ms)
    if queue_ms ~= 0 then return queue_ms end
    return depth_of(mirror_keys) <= 3 + cps and queue_ms or nil
end

local function count_entrance(call)
    tally('q', call.at)
    -- For a call reported before, the slot is counted already.
    if call.reported_at then
        quote_queue(horizon, call.at, believable(call.queue_ms))
    else
        lengthen_queue(horizon, call.at, believable(call.queue_ms))
    end
    if call.announced then return end
    pour(queued_bucket, call.at)
    pour_sender(senders_key, 'q', call.sender, call.shown, call.at, ARGV[5], ARGV[6])
end

local function count_departure(call, seen)
    if bit.band(seen, ABSENT) == 0 then departed = departed + 1 end
    tally('i', call.at)
    lengthen_wake(wake, call.at, cps, call.announced)
    if call.announced or is_in_wake(wake, call.at) then return end
    pour(initiated_bucket, call.at)
    lengthen(plateau, call.at, cps)
    pour_sender(senders_key, 'i', call.sender, call.shown, call.at, ARGV[7], ARGV[8])
end

local entered, by_status = false, {}

-- Count what is new of a call, of which `seen` was known; return what is known of it now.
local function take(call, phase, seen, call_key, times_key)
    by_status[call.status] = (by_status[call.status] or 0) + 1
    call.announced = bit.band(seen, ANNOUNCED) ~= 0
    if seen == 0 then
        -- The first news of a call may come late in its life: then it is unknown whether it was created since.
        call.announced = (phase == QUEUED or call.status == 'initiated')
            and was_announced(campaigns, call.sender, call.at)
        if call.destination ~= '' and not call.announced then
            count_repeat(repeats, times_key, call.at, repeat_limit, repeat_window, repeat_least, call.sender)
        end
    end
    local in_queue = bit.band(seen, LEFT) == 0
    if phase == QUEUED then
        entered = true
        count_entrance(call)
        if in_queue and call.doubtful then
            departed = departed + 1
        elseif in_queue then
            enter(call)
        end
    else
        if call.dialled and bit.band(seen, DIALLED_PHASES) == 0 then count_departure(call, seen) end
        if in_queue then leave(call, bit.band(seen, QUEUED) ~= 0, mark_in(seen)) end
    end
    local absent = phase == QUEUED and in_queue and call.doubtful
    local now_seen = bit.bor(seen, phase, call.announced and ANNOUNCED or 0, absent and ABSENT or 0)
    if now_seen < PHASES then now_seen = now_seen + mark_of(call.sender) * PHASES end
    redis.call('SET', call_key, now_seen, 'PX', bit.band(now_seen, LEFT) == 0 and queued_ttl or left_ttl)
    return now_seen
end

-- Return when a call was created that its creator has reported, and that this news confirms.
local function reported_at(sid)
    local report = state[U] and redis.call('HGET', unconfirmed_key, sid)
    if not report then return nil end
    redis.call('HDEL', unconfirmed_key, sid)
    return tonumber(string.match(report, '^%d+'))
end

-- Twilio's first news of a reported call is that it has left: so it was in the queue, as reported.
local function take_entrance(call, call_key, times_key)
    local entrance = {}
    for name, value in pairs(call) do entrance[name] = value end
    entrance.status, entrance.dialled, entrance.at = 'queued', false, call.reported_at
    return take(entrance, QUEUED, 0, call_key, times_key)
end

local counted = 0
for i = 1, events do
    local a = FIRST + (i - 1) * WIDTH
    local call_key, times_key = KEYS[FIXED_KEYS + 2 * i - 1], KEYS[FIXED_KEYS + 2 * i]
    local call = {
        sid = ARGV[a], status = ARGV[a + 1], dialled = has_been_dialled(ARGV[a + 1]), at = tonumber(ARGV[a + 2]),
        protected = ARGV[a + 3] ~= '0', surely_protected = ARGV[a + 3] == '2', queue_ms = tonumber(ARGV[a + 4]),
        sender = ARGV[a + 5], shown = ARGV[a + 6], destination = ARGV[a + 7], doubtful = ARGV[a + 8] == '1',
    }
    local phase, seen = phase_of(call.status), number(redis.call('GET', call_key))
    if seen == 0 then call.reported_at = reported_at(call.sid) end
    if bit.band(seen, phase) == 0 then
        counted = counted + 1
        if call.reported_at and phase ~= QUEUED then seen = take_entrance(call, call_key, times_key) end
        take(call, phase, seen, call_key, times_key)
    elseif source == 'poll' and phase == QUEUED and bit.band(seen, LEFT + QUEUED) == QUEUED + ABSENT then
        call.announced = bit.band(seen, ANNOUNCED) ~= 0
        enter_again(call)
        redis.call('SET', call_key, seen - ABSENT, 'PX', queued_ttl)
    end
end

-- include parts/changes.lua

for status, more in pairs(by_status) do redis.call('HINCRBY', totals_key, 'calls:' .. status, more) end
write_series(series_key, ring, account_ttl)
write_senders(senders_key, account_ttl)

set_bucket(Q, 'q', queued_bucket)
set_bucket(I, 'i', initiated_bucket)
if plateau.changed then set(P, 'p', line_text(plateau)) end
if wake.changed then set(W, 'w', line_text(wake)) end
if repeats.changed then
    set(R, 'r', repeats_text(repeats))
    redis.call('HSET', state_key, 'repeated_by', repeats.sender)
end
if entered then set(HORIZON, 'horizon', horizon_text(horizon)) end
if departed ~= number(state[DEPARTED]) then set(DEPARTED, 'departed', departed) end
if dead_until ~= number(state[DEAD_UNTIL]) then set(DEAD_UNTIL, 'dead_until', string.format('%.0f', dead_until)) end
if campaigns.changed then set(CAMPAIGNS, 'campaigns', campaigns_text(campaigns)) end
if source == 'callback' then
    set(CALLED_BACK, 'called_back', ARGV[1])
    if counted > 0 then redis.call('HINCRBY', totals_key, 'callbacks:accepted', counted) end
    if counted < events then redis.call('HINCRBY', totals_key, 'callbacks:duplicate', events - counted) end
end
local cancellable, protected_count = redis.call('ZCARD', queue_key), redis.call('ZCARD', protected_key)
local announced_count = redis.call('ZCARD', announced_key)
local out_of_scope_count = redis.call('ZCARD', out_of_scope_key)
if cancellable + out_of_scope_count < min_backlog then set(SHALLOW, 'shallow', ARGV[1]) end
-- Late news may show that the spike began earlier than the trip knew.
if scope and queued_bucket.changed and queued_bucket.level > 0 then
    local since = queued_bucket.onset - tonumber(ARGV[21])
    if since < scope.since then
        scope.since = math.max(0, since)
        redis.call('HSET', state_key, 'scope', scope_text(scope))
        redis.call('HSET', incident_key, 'scope', scope_text(scope))
    end
end
if campaigns.are_open or announced_count > 0 then set(CAMPAIGN_AT, 'campaign_at', ARGV[1]) end
if #changes > 0 then
    redis.call('HSET', state_key, unpack(changes))
end

-- Most news crosses no rule, and then the state is not worth sending. These bounds are on the safe side:
-- domain/rules.py decides whether a rule is crossed, and a test compares the two.
local function may_be_crossed(share)
    if state[2] == '1' then return false end
    if state[UNQUEUED] == '1' then return cancellable >= min_backlog end
    if state[1] and state[1] ~= 'armed' then return false end
    return state[SUSPECT]
        or queued_bucket.level * 2 >= queued_bucket.most * share
        or initiated_bucket.level * 2 >= initiated_bucket.most * share or repeats.count >= repeat_limit * share
        or (plateau.at > 0 and now - plateau.since >= tonumber(ARGV[17]) * 1000 * share)
        or cancellable > tonumber(ARGV[18]) * share or cancellable / cps > tonumber(ARGV[19]) * share
end

if ARGV[20] == '1' and not may_be_crossed(1) then
    return { counted, may_be_crossed(tonumber(ARGV[22])) and 1 or 0 }
end
return {
    counted, state, cancellable, protected_count, announced_count, out_of_scope_count,
    redis.call('HLEN', unconfirmed_key),
}
