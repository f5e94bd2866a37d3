"""`callguard cancel`: the emergency command."""
