-- End an announced campaign, once: new calls count as ordinary ones from now on.
--
-- KEYS[1] {account}:state  KEYS[2] {account}:campaigns  HASH  id -> what was announced, and how it ended
-- ARGV[1] id  ARGV[2] now ms
--
-- Returns the record as it ended, now or before, as JSON; empty for an unknown id
-- include parts/campaigns.lua
-- include parts/decide.lua
local record = redis.call('HGET', KEYS[2], ARGV[1])
if not record then return '' end
local campaigns = open_campaigns(redis.call('HGET', KEYS[1], 'campaigns') or '', 0)
for place, campaign in ipairs(campaigns) do
    if campaign.id == ARGV[1] then
        decide(KEYS[1], ARGV[2])
        table.remove(campaigns, place)
        local ended = cjson.decode(record)
        ended.came, ended.ended_ms = ended.calls - campaign.left, tonumber(ARGV[2])
        record = cjson.encode(ended)
        redis.call('HSET', KEYS[2], ARGV[1], record)
        redis.call('HSET', KEYS[1], 'campaigns', campaigns_text(campaigns))
    end
end
return record
