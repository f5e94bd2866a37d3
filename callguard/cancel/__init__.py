"""The cancel engine: cancels for an incident, at a person's command, or a single call."""
