"""The cancel engine: for an incident, for a person, for one call."""
