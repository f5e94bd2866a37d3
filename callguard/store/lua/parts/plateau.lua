-- The line of calls that leave at CPS: the same arithmetic as domain/rates.py and domain/campaigns.py.
-- include parts/numbers.lua
local function line_of(text)
    local since, at, deficit, announced = numbers(text)
    return { since = since, at = at, deficit = deficit, announced = announced }
end

local function line_text(line)
    return string.format('%d:%d:%.4f:%d', line.since, line.at, line.deficit, line.announced)
end

local function lengthen(plateau, at, cps)
    plateau.changed = true
    local gap = math.max(4, 5 * 0.9 * cps)
    local deficit = plateau.deficit + 0.9 * cps * math.max(0, at - plateau.at) / 1000
    if plateau.at == 0 or deficit > gap then
        plateau.since, plateau.at, plateau.deficit = at, at, 0
    else
        plateau.at, plateau.deficit = math.max(at, plateau.at), math.max(0, deficit - 1)
    end
end

local function lengthen_wake(wake, at, cps, announced)
    if not announced and wake.announced == 0 then return end
    wake.changed = true
    lengthen(wake, at, cps)
    if announced then
        wake.announced = math.max(at, wake.announced)
    elseif wake.since > wake.announced then
        wake.since, wake.at, wake.deficit, wake.announced = 0, 0, 0, 0
    end
end

local function is_in_wake(wake, at)
    return wake.announced > 0 and at - wake.announced <= math.max(60000, wake.announced - wake.since)
end
