-- What became of a call, recorded once. `keys` are the ledger, the incident and the totals of the account.
local function settle(keys, ttl, sid, outcome)
    if redis.call('HSETNX', keys.ledger, sid, outcome) == 0 then return end
    redis.call('HINCRBY', keys.incident, outcome, 1)
    redis.call('HINCRBY', keys.totals, 'cancellations:' .. outcome, 1)
    redis.call('PEXPIRE', keys.ledger, ttl)
    redis.call('PEXPIRE', keys.incident, ttl)
end
