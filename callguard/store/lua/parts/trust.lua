-- Whether the account's state may be acted on. It may not if the server was emptied, if another server answers
-- than the one last compared with what the processes remember (after a restart or a failover it may lack the last
-- seconds), or if the caller remembers a later decision. `vouch` restores it.
local function server_id()
    local told = redis.pcall('INFO', 'server') -- some managed servers forbid it: then all servers count as one
    return type(told) == 'string' and string.match(told, 'run_id:(%w+)') or ''
end

local function is_trusted(state_key, latest_known)
    local held = redis.call('HMGET', state_key, 'epoch', 'server', 'decision')
    return held[1] ~= false and held[2] == server_id() and (tonumber(held[3]) or 0) >= (tonumber(latest_known) or 0)
end
