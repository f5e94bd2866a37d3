"""Cancelling what is still queued."""
