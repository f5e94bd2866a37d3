"""How long things are kept, in milliseconds, and how much is done at once."""

HOUR_MS = 3_600_000
ACCOUNT_MS = 25 * HOUR_MS
"""Twilio cancels calls that have been queued for 24 hours."""

QUEUED_CALL_MS = 25 * HOUR_MS

LEFT_CALL_MS = 6 * HOUR_MS
"""Event Streams may repeat an event for 4 hours; older news is refused as stale before it is stored."""

INCIDENT_MS = 30 * 24 * HOUR_MS

RING_SECONDS = 1024
"""The per-second counts that are kept; `quiet_seconds` is at most 900."""

LEASE_MS = 2_500
"""A drain silent for so long counts as dead; a living one renews its lease three times in it."""

WATCH_MS = 2_500
"""The same for a watcher, whose accounts depend on it; it renews its lease three times in it."""

WATCH_KEYS_MS = HOUR_MS

NEWS_MS = 60_000
"""News that no watcher has seen by then is found by its next look at every account."""

PROCESSES_SECONDS = 3_600
WRITABLE_SECONDS = 60
"""Kept for so long after the last sign of life of any process."""

FORGOTTEN_PROCESS_MS = 600_000
"""The entry of a killed process is removed after that, by the next process that starts."""

POLL_MS = 2_500
"""The same for the reader of Twilio's list, who renews the lease while a page is waited for."""

CAMPAIGN_MS = 30 * 24 * HOUR_MS

CANCEL_RUN_MS = 25 * HOUR_MS
"""After that no call of a broken-off `callguard cancel` can still be queued."""

CONCURRENCY_MS = 600_000
"""After that it is out of date how many requests Twilio bore: others share its ceiling."""

BATCH = 250
"""A script blocks the server while it runs: 250 events take some 10 ms, twice that on a busy machine."""

LIVE_CALL_MS = 25 * HOUR_MS
"""A call lasts 24 hours at most (https://www.twilio.com/docs/voice/api/call-resource, TimeLimit)."""

HOLD_MS = 60_000
"""For how long the sizes of hold queues are shown when they cannot be read again."""

RELAY_MS = 2_000
"""A relay silent for so long counts as dead; a living one renews its lease three times in it."""

RELAY_START_MS = 20_000
"""The time that a relay may take to start, on a busy machine too, before another is started instead."""
