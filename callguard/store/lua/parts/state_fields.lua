local FIELDS = { 'state', 'paused', 'generation', 'tripped', 'cooled', 'capped', 'q_level', 'q_updated', 'q_onset',
    'i_level', 'i_updated', 'i_onset', 'p_since', 'p_at', 'p_deficit', 'r_count', 'r_since', 'r_at', 'counted',
    'quoted', 't_since', 't_departed', 't_candidate', 't_learned', 'departed', 'dead_until', 'campaign_at',
    'polled', 'called_back', 'shallow', 'suspect_rule', 'suspect_observed', 'suspect_threshold',
    'suspect_setting', 'suspect_onset', 'suspect_since', 'quoted_at', 'campaigns', 'mode', 'w_since', 'w_at',
    'w_deficit', 'w_announced' }
local Q, I, P, R, COUNTED, QUOTED, LEARNED, DEPARTED, DEAD_UNTIL = 7, 10, 13, 16, 19, 20, 24, 25, 26
local CAMPAIGN_AT, CALLED_BACK, SHALLOW, QUOTED_AT, CAMPAIGNS, MODE, W = 27, 29, 30, 37, 38, 39, 40
