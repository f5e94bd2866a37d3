"""Redis or Valkey: only this package speaks to it."""
