-- The line of calls that leave at CPS: the same arithmetic as domain/plateau.py.
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
