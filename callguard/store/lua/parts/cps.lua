-- The CPS to calculate with: the same as domain/throughput.py, effective_cps.
local function effective_cps(configured, learned)
    if learned > 0 and math.abs(learned / configured - 1) > 0.1 then return learned end
    return configured
end
