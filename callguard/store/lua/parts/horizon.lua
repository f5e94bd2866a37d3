-- The two horizons of domain/drain_time.py: by counting, and by Twilio's quotes (0 while none is believed).
-- include parts/numbers.lua
local function horizon_of(text)
    local counted, quoted, quoted_at = numbers(text)
    return { counted = counted, quoted = quoted, quoted_at = quoted_at }
end

local function horizon_text(horizon)
    return string.format('%.1f:%.1f:%d', horizon.counted, horizon.quoted, horizon.quoted_at)
end

-- Move the quoted horizon to Twilio's quote for a call, or by one slot if there is no quote.
local function quote_queue(horizon, at, queue_ms)
    if queue_ms then
        local quoted = at + queue_ms + horizon.slot
        if at > horizon.quoted_at or (at == horizon.quoted_at and quoted > horizon.quoted) then
            horizon.quoted, horizon.quoted_at = quoted, at
        end
    elseif horizon.quoted > 0 and at >= horizon.quoted_at then
        horizon.quoted = math.max(horizon.quoted, at) + horizon.slot
    end
end

local function lengthen_queue(horizon, at, queue_ms)
    horizon.counted = math.max(horizon.counted, at) + horizon.slot
    quote_queue(horizon, at, queue_ms)
end

local function horizon_now(horizon)
    return horizon.quoted > 0 and horizon.quoted or horizon.counted
end
