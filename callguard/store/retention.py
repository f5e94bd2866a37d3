"""How long things are kept, in milliseconds, and how much is done at once."""

HOUR_MS = 3_600_000
ACCOUNT_MS = 25 * HOUR_MS
"""Twilio cancels calls that have been queued for 24 hours."""

QUEUED_CALL_MS = 25 * HOUR_MS

LEFT_CALL_MS = 6 * HOUR_MS
"""Event Streams may repeat an event for 4 hours; older news is refused as stale before it gets here."""

INCIDENT_MS = 30 * 24 * HOUR_MS

RING_SECONDS = 1024
"""The per-second counts that are kept; `quiet_seconds` is at most 900."""

LEASE_MS = 2_500
"""A drain that has not shown itself for so long is taken for dead; one that lives does so three times in it."""

WATCH_MS = 2_500
"""The same for a watcher, on which its accounts depend; it shows itself three times in it."""

WATCH_KEYS_MS = HOUR_MS

NEWS_MS = 60_000
"""News that no watcher has seen by then is found by its next look at every account."""

PROCESSES_SECONDS = 3_600
WRITABLE_SECONDS = 60
"""How long after the last sign of life of any process."""

FORGOTTEN_PROCESS_MS = 600_000
"""What a process that was killed has told of itself is removed after that, by the next that starts."""

POLL_MS = 2_500
"""The same for whoever reads Twilio's list; it is kept while a page is waited for."""

CAMPAIGN_MS = 30 * 24 * HOUR_MS

CANCEL_RUN_MS = 25 * HOUR_MS
"""After that no call is queued any more that a broken-off `callguard cancel` could go on with."""

CONCURRENCY_MS = 600_000
"""How many requests Twilio bore is soon no longer true: others share its ceiling."""

BATCH = 250
"""A script blocks the server while it runs: 250 events take some 10 ms, twice that on a busy machine."""

LIVE_CALL_MS = 25 * HOUR_MS
"""A call lasts 24 hours at most (https://www.twilio.com/docs/voice/api/call-resource, TimeLimit)."""

HOLD_MS = 60_000
"""For how long the sizes of hold queues are shown when they cannot be read again."""

RELAY_MS = 2_000
"""Whoever relays notices and has not shown itself for so long is taken for dead; it does so thrice in it."""

RELAY_START_MS = 20_000
"""So long a relay may take to start, on a machine that is busy too, before another is started in its place."""
