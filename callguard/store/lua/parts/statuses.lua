-- The phases of a call's life, as domain/calls.py has them: the bit of its status, and whether it has been dialled.
local PHASES_BEFORE_THE_END = { queued = 1, initiated = 2, ringing = 4, ['in-progress'] = 8 }
local ENDED = 16

local function phase_of(status)
    return PHASES_BEFORE_THE_END[status] or ENDED
end

local function has_been_dialled(status)
    return status ~= 'queued' and status ~= 'canceled'
end
