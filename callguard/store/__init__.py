"""Redis or Valkey: the one place that speaks to it."""
