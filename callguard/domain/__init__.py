"""What CallGuard knows about calls, rates, rules and incidents. Pure: no clock, no I/O."""
