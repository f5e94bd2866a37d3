-- End an announced campaign, once: from now on its calls count as any other call does.
--
-- KEYS[1] {account}:state
-- ARGV[1] id
--
-- Returns how many of its calls have not come, or -1 if it is not open
-- include parts/campaigns.lua
local campaigns = open_campaigns(redis.call('HGET', KEYS[1], 'campaigns') or '', 0)
for place, campaign in ipairs(campaigns) do
    if campaign.id == ARGV[1] then
        table.remove(campaigns, place)
        redis.call('HSET', KEYS[1], 'campaigns', campaigns_text(campaigns))
        return campaign.left
    end
end
return -1
