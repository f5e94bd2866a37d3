"""Twilio's list of queued calls against what the guard knows of them."""
