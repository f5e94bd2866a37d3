"""`callguard backtest`: an account's own history through the rules."""
