-- The states of an account in which an incident is open: domain/snapshot.py.
local OPEN = { tripped = true, draining = true, cooling = true }

local function is_open(state)
    return OPEN[state] == true
end
