"""The notice that an incident's drain is done."""

import logging

from callguard.cancel.needs import Notices
from callguard.domain.incidents import Incident, live_summary
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Mode
from callguard.errors import StoreUnavailable

_log = logging.getLogger(__name__)


def tell_done(notices: Notices, incident: Incident, now_ms: int, left_alone: int = 0) -> None:
    """Post the notice, once for each incident, that nothing in its scope is queued any more; best effort.

    `left_alone` counts queued calls that the incident is not about, without those that it has protected. The drain
    that ends posts the notice, and so does the watcher, in case the drain's process died before it could.
    """
    if not incident.found:
        return
    notice = Notice(incident.account_sid, NoticeKind.DONE, done_text(incident, now_ms, left_alone), now_ms)
    try:
        notices.post(notice, once=f"done:{incident.generation}")
    except StoreUnavailable as error:
        _log.warning("account %s: nobody could be told that the drain is done: %s", incident.account_sid, error)


def done_text(incident: Incident, now_ms: int, left_alone: int) -> str:
    """Return what was done, what the guard does now, and what a person may do."""
    seconds = max(0, (incident.cooled_ms or now_ms) - incident.tripped_ms) / 1000
    calls = incident.tally.summary()
    if incident.mode is Mode.OBSERVE:
        return (
            f"done {seconds:,.0f} s after the trip, in mode observe: {calls}. Nothing was cancelled; "
            "all of these calls are dialled. To cancel them, set mode to enforce"
        )
    live = live_summary(incident)
    left = f"; {left_alone:,} others are left alone, and will ring" if left_alone else ""
    return (
        f"done {seconds:,.0f} s after the trip: {calls}{left}"
        + (f"; live calls, counted apart: {live}" if live else "")
        + ". The guard goes on cancelling what comes in scope until it is quiet. Stop the program that creates "
        "the calls; `callguard status` shows when a new call would be dialled"
    )
