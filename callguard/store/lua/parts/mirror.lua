-- The parts of the queue mirror. A call is in one of them at most.
-- include parts/numbers.lua

-- Remove a call from the part that has it; return that part's place among the keys, nil if none has it.
local function take_out(part_keys, sid)
    for place, key in ipairs(part_keys) do
        if redis.call('ZREM', key, sid) == 1 then return place end
    end
end

-- Note that a call has left, at its own key: `how` is bits of parts/phases.lua.
local function note_left(call_key, how, ttl)
    redis.call('SET', call_key, bit.bor(number(redis.call('GET', call_key)), how), 'PX', ttl)
end

-- Move a call from one part to the other; return whether it was there.
local function move(from_key, to_key, sid)
    local created = redis.call('ZSCORE', from_key, sid)
    if not created then return false end
    redis.call('ZREM', from_key, sid)
    redis.call('ZADD', to_key, created, sid)
    return true
end

local function depth_of(part_keys)
    local depth = 0
    for _, key in ipairs(part_keys) do depth = depth + redis.call('ZCARD', key) end
    return depth
end
