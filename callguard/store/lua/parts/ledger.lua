-- The outcome of each call, recorded once: the ledger holds it by call, the counts hold the number of each.

-- Return whether the outcome was recorded by this run.
local function record(ledger_key, counts_key, sid, outcome)
    if redis.call('HSETNX', ledger_key, sid, outcome) == 0 then return false end
    redis.call('HINCRBY', counts_key, outcome, 1)
    return true
end

-- Take a wrong outcome back: the call is as if it had none.
local function take_back(ledger_key, counts_key, sid, outcome)
    redis.call('HDEL', ledger_key, sid)
    redis.call('HINCRBY', counts_key, outcome, -1)
end

-- Record an outcome in an incident. `keys` are the ledger, the incident and the totals of the account.
local function settle(keys, ttl, sid, outcome)
    if not record(keys.ledger, keys.incident, sid, outcome) then return false end
    redis.call('HINCRBY', keys.totals, 'cancellations:' .. outcome, 1)
    redis.call('PEXPIRE', keys.ledger, ttl)
    redis.call('PEXPIRE', keys.incident, ttl)
    return true
end
