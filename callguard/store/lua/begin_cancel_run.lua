-- Begin a cancel run; what an earlier one of the account has left is forgotten.
--
-- KEYS[1] {account}:clearing  KEYS[2] {account}:clearing:left  KEYS[3] {account}:clearing:outcomes
-- ARGV[1] id  ARGV[2] now ms  ARGV[3] the digest of the numbers  ARGV[4] expiry ms
-- ARGV[5] calls created then or later are meant (Unix ms, or empty)  ARGV[6] calls created before then (likewise)
--
-- Returns 1
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'began', ARGV[2], 'numbers', ARGV[3],
    'since', ARGV[5], 'before', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
