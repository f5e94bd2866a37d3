"""Incidents without a queue on three days, as ordinary traffic opens them where thresholds are too low."""

from callguard.domain.policy import Mode
from callguard.domain.snapshot import Finding, Rule
from callguard.domain.unqueued import DAY_MS
from tests.conftest import Store


def three_days(store: Store, account_sid: str, now_ms: int) -> None:
    """Open and close one on each of the last three days."""
    for generation in range(3):
        at_ms = now_ms - (2 - generation) * DAY_MS
        finding = Finding(Rule.INITIATED, 70, 65, "initiated_burst", at_ms - 5000)
        store.incidents.trip(account_sid, generation, finding, Mode.ENFORCE, at_ms, unqueued=True)
        store.incidents.rearm(account_sid, generation + 1, "quiet for 60 s", at_ms + 60_000, force=False)
