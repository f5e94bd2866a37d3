"""How soon the watcher should look at an account again, by the account's state."""

from callguard.domain.snapshot import Snapshot

LOOK_SECONDS = 5.0
"""The longest time between two looks at an account, in seconds, in case the word of its news is lost."""

INCIDENT_SECONDS = 0.5
SUSPICION_SECONDS = 0.25


def rest_seconds(snapshot: Snapshot) -> float:
    """Return after how many seconds to look again, if there is no news of the account before.

    A suspicion waits for an answer of Twilio's; an open incident for calls, a lease or its end.
    """
    if snapshot.paused:
        until_ms = snapshot.pause.until_ms
        left = (until_ms - snapshot.now_ms) / 1000 if until_ms else LOOK_SECONDS
        return min(LOOK_SECONDS, max(SUSPICION_SECONDS, left))
    if snapshot.suspected is not None:
        return SUSPICION_SECONDS
    return INCIDENT_SECONDS if snapshot.state.has_open_incident else LOOK_SECONDS
