"""Calls that ring or talk, and callers on hold."""
