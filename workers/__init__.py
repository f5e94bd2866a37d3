"""Cancel workers and the watcher: `python -m workers`."""
