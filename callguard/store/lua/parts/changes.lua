-- Changes go into the fields that are returned and, all at once, into the hash.
local changes = {}
local function set(index, field, value)
    state[index] = value
    changes[#changes + 1] = field
    changes[#changes + 1] = value
end

local function set_bucket(index, prefix, bucket)
    if not bucket.changed then return end
    merge_late(bucket)
    set(index, prefix .. '_level', string.format('%.6f', bucket.level))
    set(index + 1, prefix .. '_updated', string.format('%.0f', bucket.updated))
    set(index + 2, prefix .. '_onset', string.format('%.0f', bucket.onset))
end
