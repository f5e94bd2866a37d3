-- Announced campaigns, held as "id,sender,until,left;" for each that is open. An empty sender is every number.
local function open_campaigns(text, now)
    local campaigns = {}
    for id, sender, till, left in string.gmatch(text or '', '([^,;]*),([^,;]*),(%d+),(%d+);') do
        campaigns[#campaigns + 1] = { id = id, sender = sender, till = tonumber(till), left = tonumber(left) }
        if campaigns[#campaigns].till > now then campaigns.are_open = true end
    end
    return campaigns
end

-- Take a call for the first campaign that it may belong to.
local function was_announced(campaigns, sender, now)
    for _, campaign in ipairs(campaigns) do
        if campaign.left > 0 and campaign.till > now and (campaign.sender == '' or campaign.sender == sender) then
            campaign.left = campaign.left - 1
            campaigns.changed = true
            return true
        end
    end
    return false
end

local function campaigns_text(campaigns)
    local parts = {}
    for _, c in ipairs(campaigns) do
        parts[#parts + 1] = string.format('%s,%s,%.0f,%d;', c.id, c.sender, c.till, c.left)
    end
    return table.concat(parts)
end
