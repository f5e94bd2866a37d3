-- Read several things at one moment. MULTI would do, but a full server refuses it.
--
-- KEYS[i] a key of the account
-- ARGV[i] what to read of it, in words: a command, and what follows the key
--
-- Returns the replies
local replies = {}
for i, key in ipairs(KEYS) do
    local words = {}
    for word in string.gmatch(ARGV[i], '%S+') do words[#words + 1] = word end
    replies[i] = redis.call(words[1], key, unpack(words, 2))
end
return replies
