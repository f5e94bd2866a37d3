-- Numbers as the fields of hashes hold them.
local function number(value) return tonumber(value or '0') or 0 end

-- The numbers, up to four, of a field such as "1.5:20:10"; 0 for those that it lacks. One field for what belongs
-- together: a small hash is searched from its beginning for every field that is asked for.
local function numbers(text)
    if not text then return 0, 0, 0, 0 end
    local first, second, third, fourth = string.match(text, '^([^:]*):?([^:]*):?([^:]*):?([^:]*)')
    return tonumber(first) or 0, tonumber(second) or 0, tonumber(third) or 0, tonumber(fourth) or 0
end
