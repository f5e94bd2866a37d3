-- Which calls the open incident is about: the same as domain/scope.py. The field holds "since:sender,sender"; of a
-- call's From, the key of its phases keeps the first 20 bits of the keyed hash, above the phases.
local PHASES = 256

local function mark_of(sender)
    return tonumber(string.sub(sender, 1, 5), 16) or 0
end

local function mark_in(seen)
    return math.floor(seen / PHASES)
end

local function scope_of(text)
    local since, senders = string.match(text or '', '^(%d+):(.*)$')
    local scope = { since = tonumber(since) or 0, marks = {}, is_narrow = false }
    for sender in string.gmatch(senders or '', '[^,]+') do
        scope.marks[mark_of(sender)], scope.is_narrow = true, true
    end
    scope.senders = senders or ''
    return scope
end

local function scope_text(scope)
    return string.format('%.0f:%s', scope.since, scope.senders)
end

local function is_in_scope(scope, created, mark)
    return created >= scope.since and (not scope.is_narrow or scope.marks[mark] == true)
end
