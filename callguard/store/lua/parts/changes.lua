-- Changes go into the fields that are returned and, all at once, into the hash. Needs `state`, the fields as they
-- were, before it.
-- include parts/buckets.lua
local changes = {}
local function set(index, field, value)
    state[index] = value
    changes[#changes + 1] = field
    changes[#changes + 1] = value
end

local function set_bucket(index, field, bucket)
    if not bucket.changed then return end
    merge_late(bucket)
    set(index, field, bucket_text(bucket))
end
