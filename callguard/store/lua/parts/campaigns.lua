-- Announced campaigns, held as "id,sender,until,left;" for each that is open. An empty sender is every number.
local function open_campaigns(text, now)
    local campaigns = {}
    for id, sender, till, left in string.gmatch(text or '', '([^,;]*),([^,;]*),(%d+),(%d+);') do
        -- No call is queued for longer, so no further call of the campaign can come.
        if tonumber(till) > now - 90000000 then
            campaigns[#campaigns + 1] = { id = id, sender = sender, till = tonumber(till), left = tonumber(left) }
        end
        if tonumber(till) > now and tonumber(left) > 0 then campaigns.are_open = true end
    end
    return campaigns
end

-- Count a call, created at `at`, to a campaign of its number, or else to one of any number.
local function was_announced(campaigns, sender, at)
    local found
    for _, campaign in ipairs(campaigns) do
        if campaign.left > 0 and campaign.till > at then
            if campaign.sender == sender then
                found = campaign
                break
            end
            if campaign.sender == '' then found = found or campaign end
        end
    end
    if not found then return false end
    found.left = found.left - 1
    campaigns.changed = true
    return true
end

local function campaigns_text(campaigns)
    local parts = {}
    for _, c in ipairs(campaigns) do
        parts[#parts + 1] = string.format('%s,%s,%.0f,%d;', c.id, c.sender, c.till, c.left)
    end
    return table.concat(parts)
end
