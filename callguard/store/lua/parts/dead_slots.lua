-- The slots of cancelled calls stay: until the present horizon, some slots are dead.
-- include parts/numbers.lua
-- include parts/horizon.lua
local function mark_dead_slots(state_key)
    local held = redis.call('HMGET', state_key, 'horizon', 'dead_until')
    local till = horizon_now(horizon_of(held[1]))
    if till > number(held[2]) then redis.call('HSET', state_key, 'dead_until', string.format('%.0f', till)) end
end
