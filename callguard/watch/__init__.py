"""The watcher: polls, clocked rules, orphaned drains, re-arming."""
