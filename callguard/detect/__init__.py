"""Detection: counts news of calls, applies the rules, trips the guard and tells people."""
