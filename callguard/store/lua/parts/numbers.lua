local function number(value) return tonumber(value or '0') or 0 end
