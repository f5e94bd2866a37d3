"""Twilio: its REST API and the signatures of its callbacks."""
