"""The watcher: polls Twilio's list, applies rules that depend on time, wakes orphaned drains, and re-arms."""
