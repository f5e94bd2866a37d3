-- What is known of a call, as bits of the number that its key holds: the phases of its life, as domain/calls.py has
-- them, and what only the scripts know. Above them parts/scope.lua keeps a mark of its From.
local QUEUED, ENDED = 1, 16
local PHASE_OF = { queued = QUEUED, initiated = 2, ringing = 4, ['in-progress'] = 8 }
local DIALLED_PHASES = 30 -- initiated and all that follow it
local ABSENT = 32         -- missed: in Twilio's list, or by a 404
local SETTLED = 64        -- its outcome is in the ledger
local ANNOUNCED = 128     -- of an announced campaign
local LEFT = DIALLED_PHASES + ABSENT + SETTLED -- not, or not known to be, in the queue

local function phase_of(status)
    return PHASE_OF[status] or ENDED
end

local function has_been_dialled(status)
    return status ~= 'queued' and status ~= 'canceled'
end
