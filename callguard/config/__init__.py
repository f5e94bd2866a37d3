"""Settings: read once, checked whole, handed on frozen."""
