local function settle(sid, outcome)
    if redis.call('HSETNX', ledger_key, sid, outcome) == 1 then
        redis.call('HINCRBY', incident_key, outcome, 1)
        redis.call('HINCRBY', totals_key, 'cancellations:' .. outcome, 1)
        redis.call('PEXPIRE', ledger_key, incident_ttl)
        redis.call('PEXPIRE', incident_key, incident_ttl)
    end
end
