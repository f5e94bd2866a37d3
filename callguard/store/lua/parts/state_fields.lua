-- The fields of {account}:state that are read together, in the order of store/snapshots.py.
local FIELDS = { 'state', 'paused', 'generation', 'tripped', 'cooled', 'capped', 'q', 'i', 'p', 'r', 'horizon', 't',
    'departed', 'dead_until', 'campaign_at', 'polled', 'called_back', 'shallow', 'suspect', 'campaigns', 'mode', 'w',
    'lost', 'unqueued', 'listed_short', 'u' }
local Q, I, P, R, HORIZON, THROUGHPUT, DEPARTED, DEAD_UNTIL, CAMPAIGN_AT = 7, 8, 9, 10, 11, 12, 13, 14, 15
local CALLED_BACK, SHALLOW, SUSPECT, CAMPAIGNS, MODE, W, UNQUEUED, U = 17, 18, 19, 20, 21, 22, 24, 26
