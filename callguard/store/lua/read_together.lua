-- Read several things at one moment. MULTI would do, but a full server refuses it.
--
-- KEYS[i] a key of the account
-- ARGV[...] for each key: how many words say what to read of it, then these: a command, and what follows the key
--
-- Returns the replies
local replies = {}
local at = 1
for i, key in ipairs(KEYS) do
    local last = at + ARGV[at]
    replies[i] = redis.call(ARGV[at + 1], key, unpack(ARGV, at + 2, last))
    at = last + 1
end
return replies
