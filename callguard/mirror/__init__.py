"""The mirror: what the guard knows of the queue, kept in agreement with Twilio's list of queued calls."""
